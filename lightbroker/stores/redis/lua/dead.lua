-- Read dead letters.
--
-- ARGV   after: the turn of the last letter that is known, for those that follow it, oldest first; or '' for those that
--        died last, the last first; most: how many letters at most; shown: how many bytes of each body
-- Reply  for each letter its turn, id, record cut to those bytes, failure, and the size of the whole body
--> keys meta messages dead failure pullers pushers
--> options client traced
--> arguments again now after most shown
--> schema
--> clock
--> reply
local page
if after == '' then
  page = call('ZRANGE', dead, '+inf', '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, most, 'WITHSCORES')
else
  page = call('ZRANGE', dead, '(' .. after, '+inf', 'BYSCORE', 'LIMIT', 0, most, 'WITHSCORES')
end
local found = {}
for i = 1, #page, 2 do
  local record = call('HGET', messages, page[i])
  local a, b, c, d = string.byte(record, 9, 12) -- behind the timestamp: the length of the headers
  local body = 12 + ((a * 256 + b) * 256 + c) * 256 + d
  local cut = string.sub(record, 1, body + shown)
  for _, word in ipairs({page[i + 1], page[i], cut, call('HGET', failure, page[i]), #record - body}) do
    found[#found + 1] = word
  end
end
return finish(unpack(found))
