--- The embedded cluster goes through each recorded run: the same steps, objects, events and queries.

local recorded = require("spec.support.recorded")
local scenario = require("spec.support.scenario")

local RUNS = { "istio", "istio-full", "istio-ab", "k8s-bg", "gwapi", "traefik", "nginx", "contour", "linkerd" }

for _, name in ipairs(RUNS) do
  describe("the recorded run " .. name, function()
    local golden, run

    lazy_setup(function()
      golden = recorded.load(name)
      run = scenario.new({ path = "/api" })
      run.world:apply(golden.input)
      run.world.prometheus.answer = function(query)
        if query == "vector(1)" then return 1 end
        if not query:find("histogram_quantile", 1, true) then return 99.9 end
        return query:find("http_request_duration_seconds", 1, true) and 0.05 or 50
      end
      run:answer_hooks(golden.input, 200)
      run:wait_for_phase("demo", "app", "Initialized")
      run.world:set_image("demo", "app", "podinfo:2")
      run:wait_for_phase("demo", "app", "Succeeded")
      run:pass(1)
    end)

    it("goes through the same phases, weights and iterations", function()
      assert.same(golden.steps, run:steps("demo", "app"))
    end)

    it("leaves the same objects, field by field", function()
      local differences = {}
      for id, expected in pairs(golden.finals) do
        local kind, object_name = id:match("^(%w+)/(.+)$")
        local object = run.world:get(kind, "demo", object_name)
        local found = object and recorded.compare(expected, recorded.comparable(kind, object)) or { "is missing" }
        for _, line in ipairs(found) do differences[#differences + 1] = id .. line end
      end
      table.sort(differences)
      assert.same({}, differences)
    end)

    it("tells the same events", function()
      assert.same(golden.events, recorded.event_texts(run:messages("demo")))
    end)

    it("calls the same webhooks in the same order, with the same bodies and headers", function()
      assert.same(golden.calls, run.calls[1] and recorded.call_texts(run.calls))
    end)

    it("asks the same queries", function()
      assert.same(golden.queries, recorded.query_texts(run:queries()))
    end)
  end)
end
