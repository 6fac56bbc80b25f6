-- List a process among the subscribers of an entry, once for each turn that it has, or take it off the list.
--
-- KEYS   registry, list: see topic_publish.lua
-- ARGV   entry; inbox: the channel of the process; turns: how many, 0 to leave; version: a new one
-- Reply  on how many places of the list the process was before
--> keys registry list
--> arguments again entry inbox turns version
local before = redis.call('LREM', list, 0, inbox)
for _ = 1, tonumber(turns) do
  redis.call('RPUSH', list, inbox)
end
if redis.call('EXISTS', list) == 0 then
  if redis.call('HDEL', registry, entry) == 1 then
    redis.call('HSET', registry, 'version', version)
  end
elseif redis.call('HSETNX', registry, entry, '') == 1 then
  redis.call('HSET', registry, 'version', version)
end
return before
