-- DEAD -> READY, as if new, while there is room. ARGV: how many at most, then '1' and the ids, or '' for the oldest.
-- The reply: how many were moved, and 1 if the queue is full now.
--> keys meta messages ready delayed leased dead mortal expiry failure pullers pushers
--> arguments me traced capacity dead_capacity
--> head
--> clock
--> finish
--> moves
local most = tonumber(ARGV[REST + 1])
local ids = {}
if ARGV[REST + 2] == '' then
  ids = call('ZRANGE', dead, 0, most - 1)
else
  for i = REST + 3, #ARGV do
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
  put('1:' .. id, 0)
  moved = moved + 1
  note(id, 1, 'DEAD', 'READY', 'redrive')
end
if moved > 0 then
  call('HINCRBY', meta, 'redriven', moved)
end
return finish(moved, moved < #ids and 1 or 0)
