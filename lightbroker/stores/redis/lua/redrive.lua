-- Redrive: DEAD -> READY, with its attempts forgotten, while there is room.
--
-- ARGV   most: how many at most; chosen: '1' if REST are the ids of those to move, '' for the oldest
-- Reply  how many were moved, and 1 if the queue is full now
--> keys meta messages ready delayed leased dead mortal expiry failure pullers pushers
--> options client traced capacity dead_capacity
--> arguments again now most chosen
--> schema
--> clock
--> reply
--> moves
most = tonumber(most)
local ids = {}
if chosen == '' then
  ids = call('ZRANGE', dead, 0, most - 1)
else
  for i = REST + 1, #ARGV do
    if #ids < most and call('ZSCORE', dead, ARGV[i]) then
      ids[#ids + 1] = ARGV[i]
    end
  end
end
local room = capacity - call('HLEN', messages) + call('ZCARD', dead)
local moved = 0
for _, id in ipairs(ids) do
  if moved >= room then
    break
  end
  call('ZREM', dead, id)
  call('HDEL', failure, id)
  requeue('1:' .. id, 0)
  moved = moved + 1
  trace(id, 1, 'DEAD', 'READY', 'redrive')
end
if moved > 0 then
  call('HINCRBY', meta, 'redriven', moved)
end
return finish(moved, moved < #ids and 1 or 0)
