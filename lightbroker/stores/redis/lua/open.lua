-- Make the queue, or find it.
--
-- ARGV   version: of the schema; declared: the options as JSON, for programs that only look at the queue
-- Reply  nothing if the queue can be used. Otherwise why not: 'foreign', a key and its type; 'version' and that of the
--        queue; or 'bounds', the capacity and the dead_capacity of the queue
--> keys meta messages ready delayed leased dead mortal expiry failure pullers pushers
--> options client traced capacity dead_capacity
--> arguments again now version declared
--> schema
--> clock
--> reply
local types = {'hash', 'hash', 'zset', 'zset', 'zset', 'zset', 'zset', 'hash', 'hash', 'zset', 'zset'} -- of KEYS
for i, key in ipairs(KEYS) do
  local kind = call('TYPE', key).ok
  if kind ~= 'none' and kind ~= types[i] then
    return finish('foreign', key, kind)
  end
end
local there = call('HMGET', meta, 'version', 'capacity', 'dead_capacity', 'turn')
if there[1] and there[1] ~= version then
  return finish('version', there[1])
end
if there[1] and (there[2] ~= capacity or there[3] ~= dead_capacity) then
  return finish('bounds', there[2], there[3])
end
if not there[1] and not there[4] and call('HLEN', meta) > 0 then
  return finish('foreign', meta, 'hash')
end
if there[1] then
  -- Deleted first: a server that is out of memory refuses to set a field, but must let consumers in.
  call('HDEL', meta, 'options')
end
-- Each time, not only for a new queue: so the caller learns now if the server cannot be written.
call('HSET', meta, 'version', version, 'capacity', capacity, 'dead_capacity', dead_capacity, 'options', declared)
return finish()
