-- DEAD -> purged, the oldest. ARGV: how many at most. The reply: how many it were.
--> keys meta messages dead failure pullers pushers
--> arguments me traced
--> head
--> clock
--> finish
local popped = call('ZPOPMIN', dead, tonumber(ARGV[REST + 1]))
local ids = {}
for i = 1, #popped, 2 do
  local id = popped[i]
  ids[#ids + 1] = id
  if traced == '1' then
    note(id, string.match(call('HGET', failure, id), '^%d+ %d+ (%d+)'), 'DEAD', 'purged', 'purge')
  end
end
if ids[1] then
  call('HDEL', messages, unpack(ids))
  call('HDEL', failure, unpack(ids))
  call('HINCRBY', meta, 'purged', #ids)
end
return finish(#ids)
