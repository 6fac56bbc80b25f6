-- Purge: DEAD -> purged, the oldest first.
--
-- ARGV   most: how many at most
-- Reply  how many there were
--> keys meta messages dead failure pullers pushers
--> options client traced
--> arguments again now most
--> schema
--> clock
--> reply
local popped = call('ZPOPMIN', dead, tonumber(most))
local ids = {}
for i = 1, #popped, 2 do
  local id = popped[i]
  ids[#ids + 1] = id
  if traced == '1' then
    trace(id, string.match(call('HGET', failure, id), '^%d+ %d+ (%d+)'), 'DEAD', 'purged', 'purge')
  end
end
if ids[1] then
  call('HDEL', messages, unpack(ids))
  call('HDEL', failure, unpack(ids))
  call('HINCRBY', meta, 'purged', #ids)
end
return finish(#ids)
