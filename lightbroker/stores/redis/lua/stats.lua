-- Count.
--
-- Reply  how many records and failures are kept; how many messages are READY, DELAYED, LEASED and DEAD; the counters
--> keys meta messages ready delayed leased dead failure pullers pushers
--> options client traced
--> arguments again now
--> schema
--> clock
--> reply
local counts = {call('ZCARD', ready), call('ZCARD', delayed), call('ZCARD', leased), call('ZCARD', dead)}
local names = {'turn', 'moved', 'acked', 'dropped', 'expired', 'purged', 'retried', 'redriven', 'refused'}
for _, count in ipairs(call('HMGET', meta, unpack(names))) do
  counts[#counts + 1] = tonumber(count) or 0
end
return finish(call('HLEN', messages), call('HLEN', failure), unpack(counts))
