-- Make the queue or find it. ARGV: its schema version, its options. The reply tells what speaks against using it, or nothing.
--> keys meta messages ready delayed leased dead mortal expiry failure pullers pushers
--> arguments me traced capacity dead_capacity
--> head
--> clock
--> finish
local kinds = {'hash', 'hash', 'zset', 'zset', 'zset', 'zset', 'zset', 'hash', 'hash', 'zset', 'zset'}
for i, key in ipairs(KEYS) do
  local kind = call('TYPE', key).ok
  if kind ~= 'none' and kind ~= kinds[i] then
    return finish('foreign', key, kind)
  end
end
local there = call('HMGET', meta, 'version', 'capacity', 'dead_capacity', 'turn')
if there[1] and there[1] ~= ARGV[REST + 1] then
  return finish('version', there[1])
end
if there[1] and (there[2] ~= capacity or there[3] ~= dead_capacity) then
  return finish('bounds', there[2], there[3])
end
if not there[1] and not there[4] and call('HLEN', meta) > 0 then
  return finish('foreign', meta, 'hash')
end
if there[1] then
  call('HDEL', meta, 'options') -- first: a server that is out of memory must let in who will empty it
end
-- Each time: it finds out whether the server can be written.
call('HSET', meta, 'version', ARGV[REST + 1], 'capacity', capacity, 'dead_capacity', dead_capacity,
  'options', ARGV[REST + 2])
return finish()
