-- Bind a queue to a pattern.
--
-- KEYS   registry: see topic_publish.lua
-- ARGV   entry: of the binding; declared: the options of the queue as JSON; version: a new one; keep: '1' to leave an
--        entry as it is if there is one
--> keys registry
--> arguments again entry declared version keep
local known = redis.call('HGET', registry, entry)
if not known or (known ~= declared and keep ~= '1') then
  redis.call('HSET', registry, entry, declared, 'version', version)
end
return 0
