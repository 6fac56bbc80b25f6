-- LEASED, until later. ARGV: the receipt, microseconds from now. The reply: the time, and the deadline, or 0 if the
-- lease is over.
--> keys meta leased pullers pushers
--> arguments me traced
--> head
--> clock
--> finish
local deadline = tonumber(call('ZSCORE', leased, ARGV[REST + 1]))
if not deadline or deadline <= now then
  return finish(string.format('%.0f', now), 0)
end
local at = math.min(FAR, now + ARGV[REST + 2])
if at > deadline then
  call('ZREM', leased, ARGV[REST + 1])
  call('ZADD', leased, at, ARGV[REST + 1])
  deadline = at
end
return finish(string.format('%.0f', now), string.format('%.0f', deadline))
