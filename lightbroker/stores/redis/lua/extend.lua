-- Extend: LEASED under the same receipt, until later. A lease is never shortened.
--
-- ARGV   receipt; span: microseconds from now
-- Reply  the time, and the time when the lease expires, or 0 if it is over
--> keys meta leased pullers pushers
--> options client traced
--> arguments again now receipt span
--> schema
--> clock
--> reply
local deadline = tonumber(call('ZSCORE', leased, receipt))
if not deadline or deadline <= now then
  return finish(string.format('%.0f', now), 0)
end
local later = math.min(INFINITY, now + span)
if later > deadline then
  call('ZREM', leased, receipt)
  call('ZADD', leased, later, receipt)
  deadline = later
end
return finish(string.format('%.0f', now), string.format('%.0f', deadline))
