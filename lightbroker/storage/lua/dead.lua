-- The DEAD, oldest first. ARGV: the turn of dying after which to begin, how many at most. The reply: for each its
-- turn, id, record and failure.
--> keys meta messages dead failure pullers pushers
--> arguments me traced
--> head
--> clock
--> finish
local page = call('ZRANGE', dead, '(' .. ARGV[REST + 1], '+inf', 'BYSCORE', 'LIMIT', 0, ARGV[REST + 2], 'WITHSCORES')
local found = {}
for i = 1, #page, 2 do
  for _, word in ipairs({page[i + 1], page[i], call('HGET', messages, page[i]), call('HGET', failure, page[i])}) do
    found[#found + 1] = word
  end
end
return finish(unpack(found))
