-- Read when the message that has been READY longest was accepted.
--
-- Reply  the beginning of its record, which is its timestamp; nothing if none is READY
--> keys meta messages ready pullers pushers
--> options client traced
--> arguments again now
--> schema
--> clock
--> reply
local entry = call('ZRANGE', ready, 0, 0)[1]
if not entry then
  return finish()
end
return finish(string.sub(call('HGET', messages, string.sub(entry, string.find(entry, ':', 1, true) + 1)), 1, 8))
