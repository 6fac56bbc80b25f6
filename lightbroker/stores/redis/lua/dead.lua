-- The DEAD, oldest first. ARGV: the turn of dying after which to begin, or '' for those that died last and come first;
-- how many at most, and how many bytes of their bodies. The reply: for each its turn, id, record cut to that, failure,
-- and how many bytes the whole body has.
--> keys meta messages dead failure pullers pushers
--> arguments me traced
--> head
--> clock
--> finish
local after, most, shown = ARGV[REST + 1], ARGV[REST + 2], ARGV[REST + 3]
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
