-- List a process among those that listen, once for each of its turns, or take it off the list. KEYS: who listens to
-- what, and the list for one entry. ARGV: that entry, the process's inbox, its turns, and a version if it changes.
-- The reply tells on how many places of the list it was before.
local registry, list = KEYS[1], KEYS[2]
local entry, inbox, turns, version = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]

local before = redis.call('LREM', list, 0, inbox)
for _ = 1, turns do
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
