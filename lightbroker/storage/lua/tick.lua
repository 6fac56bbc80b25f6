-- DELAYED -> READY, and READY -> expired or DEAD, for what fell due; and whoever waits for what there is, is called.
-- The reply: the leases that ran out, which are the caller's to end.
--> head
--> clock
--> finish
--> moves
--> due
local over = catch_up()
made_ready = call('ZCARD', ready)
if capacity < math.huge then
  left = math.max(0, capacity - call('HLEN', messages) + call('ZCARD', dead))
end
return finish(unpack(over))
