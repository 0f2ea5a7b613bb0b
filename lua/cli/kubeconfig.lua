--- The kubeconfig of an embedded cluster.

local kubeconfig = {}

local TEXT = [[
apiVersion: v1
kind: Config
clusters: [{name: sandbox, cluster: {server: "http://127.0.0.1:%d"}}]
users: [{name: sandbox, user: {token: sandbox}}]
contexts: [{name: sandbox, context: {cluster: sandbox, user: sandbox}}]
current-context: sandbox
]]

--- Writes the file for a server on loopback (a temporary one when no path is given) and returns its path, or nil and
--- a message.
function kubeconfig.write(port, path)
  path = path or os.tmpname()
  local file, message = io.open(path, "w")
  if not file then return nil, message end
  file:write(TEXT:format(port))
  file:close()
  return path
end

return kubeconfig
