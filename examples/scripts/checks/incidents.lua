--- A check that reads a REST API with a token: no release goes on while there are open incidents.
--
--   metrics: [{name: incidents, script: {name: incidents, params: {service: checkout, secret: status-token}}}]
--
-- The Secret is beside the Canary and has the key `token`; the script never sees it. Change the grant and URL to your
-- own. The API answers {"incidents": [{"id": ..., "title": ...}]}.

local URL = "https://status.example.com/api/v1/incidents?state=open&service="

local incidents = {
  name = "incidents", api = 1,
  grants = { "http:https://status.example.com/api/v1" },
  params = {
    service = { type = "string", required = true, doc = "whose incidents count" },
    secret = { type = "string", required = true, doc = "name of the Secret with the token" },
    most = { type = "integer", default = 0, min = 0, doc = "so many open incidents are no reason to wait" },
  },
}

function incidents.run(ctx)
  local url = URL .. ctx.params.service:gsub("[^%w%-_.]", "")
  local rule = ("at most %d open incidents"):format(ctx.params.most)
  local answer, message = http.request({ url = url, secret = ctx.params.secret })
  if not answer then return verdict.error{ rule = rule, query = url, message = message } end
  if answer.status ~= 200 then
    return verdict.error{ rule = rule, query = url, message = ("the API answered %d"):format(answer.status) }
  end
  local body = json.decode(answer.body)
  local list = type(body) == "table" and body.incidents
  if type(list) ~= "table" then return verdict.error{ rule = rule, query = url, message = "no list of incidents" } end
  local word = #list <= ctx.params.most and verdict.pass or verdict.fail
  return word{ value = #list, rule = rule, query = url, n = #list,
    message = list[1] and ("open incident %s"):format(tostring(list[1].title or list[1].id):sub(1, 200)) or nil }
end

return incidents
