-- Time has passed: DELAYED -> READY, and READY -> expired or DEAD, for what fell due; find expired leases. Wake waiters.
--
-- Reply  the receipts of the leases that expired, which the caller has to end
--> keys meta messages ready delayed leased dead mortal expiry failure pullers pushers
--> options client traced capacity dead_capacity
--> arguments again now
--> schema
--> clock
--> reply
--> moves
--> catch_up
local over = catch_up()
made_ready = call('ZCARD', ready)
if tonumber(capacity) < INFINITY then
  made_room = math.max(0, capacity - call('HLEN', messages) + call('ZCARD', dead))
end
return finish(unpack(over))
