-- The record of the message that has been READY longest, cut behind its timestamp; nothing if none is READY.
--> keys meta messages ready pullers pushers
--> arguments me traced
--> head
--> clock
--> finish
local ticket = call('ZRANGE', ready, 0, 0)[1]
if not ticket then
  return finish()
end
return finish(string.sub(call('HGET', messages, string.sub(ticket, string.find(ticket, ':', 1, true) + 1)), 1, 8))
