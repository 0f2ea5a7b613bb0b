--- One JSON document of a REST API, for checks.

local rest = {}

--- The document at `url`; nil, the kind of verdict and a message when there is none.
function rest.get(url)
  local answer, message = http.request({ url = url, headers = { Accept = "application/json" }, timeout = 3 })
  if not answer then return nil, "error", message end
  if answer.status == 404 then return nil, "nodata", "not known there" end
  if answer.status ~= 200 then return nil, "error", ("the API answered %d"):format(answer.status) end
  local body, wrong = json.decode(answer.body)
  if type(body) ~= "table" then return nil, "error", "no JSON object: " .. tostring(wrong) end
  return body
end

return rest
