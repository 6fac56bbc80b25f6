-- The DEAD, oldest first. ARGV: the turn of dying after which to begin, or '' for those that died last and come first;
-- how many at most. The reply: for each its turn, id, record and failure.
--> keys meta messages dead failure pullers pushers
--> arguments me traced
--> head
--> clock
--> finish
local after, most = ARGV[REST + 1], ARGV[REST + 2]
local page
if after == '' then
  page = call('ZRANGE', dead, '+inf', '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, most, 'WITHSCORES')
else
  page = call('ZRANGE', dead, '(' .. after, '+inf', 'BYSCORE', 'LIMIT', 0, most, 'WITHSCORES')
end
local found = {}
for i = 1, #page, 2 do
  for _, word in ipairs({page[i + 1], page[i], call('HGET', messages, page[i]), call('HGET', failure, page[i])}) do
    found[#found + 1] = word
  end
end
return finish(unpack(found))
