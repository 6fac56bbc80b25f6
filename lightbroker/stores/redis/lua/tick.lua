-- DELAYED -> READY, and READY -> expired or DEAD, for what fell due; and whoever waits for what there is, is called.
-- The reply: the leases that ran out, which are the caller's to end.
--> keys meta messages ready delayed leased dead mortal expiry failure pullers pushers
--> arguments me traced capacity dead_capacity
--> head
--> clock
--> finish
--> moves
--> due
local over = catch_up()
made_ready = call('ZCARD', ready)
if tonumber(capacity) < FAR then
  left = math.max(0, capacity - call('HLEN', messages) + call('ZCARD', dead))
end
return finish(unpack(over))
