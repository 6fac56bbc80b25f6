-- LEASED, until later. ARGV: the receipt, microseconds from now. The reply: the time, and the deadline, or 0 if the
-- lease is over.
--> head
--> clock
--> finish
local deadline = tonumber(call('ZSCORE', leased, ARGV[9]))
if not deadline or deadline <= now then
  return finish(string.format('%.0f', now), 0)
end
local at = math.min(FAR, now + ARGV[10])
if at > deadline then
  call('ZREM', leased, ARGV[9])
  call('ZADD', leased, at, ARGV[9])
  deadline = at
end
return finish(string.format('%.0f', now), string.format('%.0f', deadline))
