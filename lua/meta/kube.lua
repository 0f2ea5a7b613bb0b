---@meta kube
-- The cluster. A `ref` is { apiVersion =, kind =, namespace =, name = }; namespace is absent for
-- cluster-scoped kinds. Failures: nil, message, CODE with CODE one of engine/reason.h.
-- All of these may wait, so they work inside a job only.

kube = {}

--- Declares kinds: a list of { apiVersion =, kind =, plural =, namespaced = bool, metadata = bool, always = bool,
--- route = bool }.
--- `metadata`: watched as metadata only, its data is fetched once per resourceVersion.
--- `route`: in the cluster of engine.start's `routes_kubeconfig`, if there is one.
--- `always`: watched from the start. An undeclared kind is namespaced and its plural is guessed.
---@since 1
function kube.kinds(list) end

--- The newest known version, from the cache that watches feed; the first look at a kind waits until it is
--- listed. The calling tick then depends on that object: when it changes (or appears) the tick runs again.
--- The value is the caller's own copy.
---@since 1
function kube.get(ref) end

--- All cached objects of a kind (in `ref.namespace`, if given). Only for kinds declared `always`.
---@since 1
function kube.list(ref) end

--- What the API server answers to a GET of `path` (below /api/ or /apis/, escaped, with its query): for what cannot be
--- watched. One request each time; nothing is cached and the tick does not depend on it.
---@since 1
function kube.read(path) end

--- Creates, and returns what the server stored.
---@since 1
function kube.create(object) end

--- Merge patch. Put metadata.resourceVersion in the patch to make it conditional (CONFLICT otherwise).
--- options: { subresource = "status" }. Returns what the server stored; the cache holds it at once.
---@since 1
function kube.patch(ref, patch, options) end

--- options: { propagation = "Background" }.
---@since 1
function kube.delete(ref, options) end

--- Fire and forget: one request, no waiting, failures are logged and counted. body: an Event object to POST;
--- with `name` of an existing one: { namespace =, name =, patch = {...} }.
---@since 1
function kube.event(event) end
