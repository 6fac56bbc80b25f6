-- DEAD -> READY, as if new, while there is room. ARGV: how many at most, then '1' and the ids, or '' for the oldest.
-- The reply: how many were moved, and 1 if the queue is full now.
--> head
--> clock
--> finish
--> moves
local most = tonumber(ARGV[9])
local ids = {}
if ARGV[10] == '' then
  ids = call('ZRANGE', dead, 0, most - 1)
else
  for i = 11, #ARGV do
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
