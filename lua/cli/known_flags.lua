--- Every flag of `serin run`: Flagger's 1.44, those of the logger it links, and our own.
--
-- { name, type, default, help, env = , check = , idle = }
--   type    text, boolean, integer, list (of texts between commas), texts (one each time it is given), duration
--   env     the environment variable that overrides the flag when it is not empty
--   range   of integers: { lowest, highest }
--   one_of  the values of a text; with `lenient`, another one is told of and passes
--   idle    why the flag has no effect here, for a sentence "flag -x has no effect: ..."

local LOGGER = "it belongs to a logger that is not linked"

local flags = {
  -- the cluster
  { "kubeconfig", "text", "", "path to a kubeconfig; empty means the account of the pod" },
  { "master", "text", "", "address of the API server, overrides the one in the kubeconfig" },
  { "kubeconfig-qps", "integer", 100, "requests a second to the API server", range = { 1, 1000000 } },
  { "kubeconfig-burst", "integer", 250, "requests that may be made at once", range = { 1, 1000000 } },
  { "kubeconfig-service-mesh", "text", "", "path to the kubeconfig of the cluster that holds the routes" },
  { "namespace", "text", "", "the one namespace where Canaries are looked for; empty means all" },
  { "enable-leader-election", "boolean", false, "one of several replicas works" },
  { "leader-election-namespace", "text", "kube-system", "namespace of the Lease, where -namespace names none" },

  -- what a Canary does not say itself
  { "mesh-provider", "text", "istio", "router of a Canary that names none" },
  { "metrics-server", "text", "http://prometheus:9090", "Prometheus of builtin and inline queries" },
  { "selector-labels", "list", "app,name,app.kubernetes.io/name", "labels that may tell the pods of a target" },
  { "include-label-prefix", "list", "", "prefixes of labels that are copied to the primary; * means all" },
  { "enable-config-tracking", "boolean", true, "ConfigMaps and Secrets follow their target" },
  { "ingress-annotations-prefix", "text", "nginx.ingress.kubernetes.io", "prefix of an Ingress' annotations" },
  { "ingress-class", "text", "", "class of generated routes" },
  { "no-cross-namespace-refs", "boolean", false, "refuse references into other namespaces" },

  -- scripts of one's own
  { "scripts", "texts", "", "folder of scripts, see lua/scripts/README.md; may be given several times" },
  { "allow-shadow", "texts", "", "a script that may take the place of a shipped one of its name, like routers/x"
    .. "; may be given several times" },
  { "tenant-scripts", "boolean", false, "run scripts in ConfigMaps beside a Canary, and MetricTemplates of type lua" },
  { "tenant-http-allow", "list", "", "hosts that those may ask, host or host:port" },

  -- messages
  { "event-webhook", "text", "", "where events are posted", env = "EVENT_WEBHOOK_URL" },
  { "slack-url", "text", "", "webhook of Slack", env = "SLACK_URL" },
  { "slack-token", "text", "", "token of Slack", env = "SLACK_TOKEN" },
  { "slack-proxy-url", "text", "", "proxy to Slack", env = "SLACK_PROXY_URL" },
  { "slack-user", "text", "flagger", "who writes in Slack" },
  { "slack-channel", "text", "", "channel of Slack" },
  { "msteams-url", "text", "", "webhook of Microsoft Teams", env = "MSTEAMS_URL" },
  { "msteams-proxy-url", "text", "", "proxy to Microsoft Teams", env = "MSTEAMS_PROXY_URL" },
  { "cluster-name", "text", "", "name of the cluster in alerts" },

  -- the process
  { "log-level", "text", "debug", "the least that is logged", lenient = "info",
    one_of = { "debug", "info", "warn", "error", "fatal", "panic" } },
  { "zap-encoding", "text", "json", "form of the log", one_of = { "json", "console" } },
  { "zap-replace-globals", "boolean", false, "", idle = LOGGER },
  { "port", "integer", 8080, "port of /healthz, /readyz and /metrics", range = { 0, 65535 } },
  { "max-running", "integer", 0, "Canaries that may be in a run at the same time; 0 means any number",
    range = { 0, 100000 } },
  { "max-ticks", "integer", 64, "Canaries that are looked at at the same time", range = { 1, 100000 } },
  { "control-loop-interval", "duration", "10s", "how often the list of Canaries is looked at",
    idle = "the list is followed as it changes" },
  { "threadiness", "integer", 2, "workers", range = { 1, 1000000 }, idle = "there are no workers, see -max-ticks" },
  { "version", "boolean", false, "print the version and exit" },
  { "tape", "text", "", "file that every answer, verdict and decision is added to, for serin replay" },
  { "tape-megabytes", "integer", 64, "size at which nothing more is added to it", range = { 1, 65536 } },

  -- of klog
  { "v", "integer", 0, "", range = { -1000, 1000 }, idle = LOGGER },
  { "vmodule", "text", "", "", idle = LOGGER },
  { "logtostderr", "boolean", true, "", idle = LOGGER },
  { "alsologtostderr", "boolean", false, "", idle = LOGGER },
  { "stderrthreshold", "text", "2", "", idle = LOGGER },
  { "log_dir", "text", "", "", idle = LOGGER },
  { "log_file", "text", "", "", idle = LOGGER },
  { "log_file_max_size", "integer", 1800, "", range = { 0, math.maxinteger }, idle = LOGGER },
  { "log_backtrace_at", "text", "", "", idle = LOGGER },
  { "skip_headers", "boolean", false, "", idle = LOGGER },
  { "skip_log_headers", "boolean", false, "", idle = LOGGER },
  { "add_dir_header", "boolean", false, "", idle = LOGGER },
  { "one_output", "boolean", false, "", idle = LOGGER },
}

return flags
