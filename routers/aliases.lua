--- Providers whose name is neither that of their router's file nor begins with it and a colon.
return {
  osm = "smi",
}
