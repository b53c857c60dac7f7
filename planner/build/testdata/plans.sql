SELECT (SELECT max(name) FROM region);

SELECT name, (SELECT name FROM region) FROM nation;

SELECT name, (SELECT count(*) FROM nation n WHERE n.regionkey = r.regionkey) FROM region r;

SELECT name, (SELECT r.name FROM region r WHERE r.regionkey = n.regionkey) FROM nation n;

SELECT name, (SELECT max(r.name) FROM region r WHERE r.regionkey < n.regionkey) FROM nation n;

SELECT name, (SELECT r.name FROM region r WHERE r.regionkey < n.regionkey) FROM nation n;

SELECT name, (SELECT r.name FROM region r WHERE r.regionkey <> n.regionkey ORDER BY r.name LIMIT 1) FROM nation n;

SELECT name, (SELECT r.name FROM region r WHERE r.regionkey = n.regionkey ORDER BY r.name LIMIT 1) FROM nation n;

SELECT name FROM nation n WHERE EXISTS (SELECT 1 FROM region r WHERE r.regionkey = n.regionkey AND r.name > n.name ORDER BY 1);

SELECT name FROM nation WHERE NOT EXISTS (SELECT 1 FROM region WHERE name = 'ASIA');

SELECT name FROM nation n WHERE EXISTS (SELECT 1 FROM region r WHERE r.name = n.name) OR name = 'PERU';

SELECT name FROM nation WHERE regionkey NOT IN (SELECT regionkey FROM region);

SELECT name FROM nation n WHERE nationkey NOT IN (SELECT regionkey FROM region r WHERE r.name = n.name);

SELECT name, nationkey IN (SELECT regionkey FROM region), nationkey IN (SELECT regionkey FROM region r WHERE r.name = n.name) FROM nation n;

SELECT name FROM nation WHERE (nationkey, name) IN (SELECT regionkey, name FROM region);

SELECT name FROM nation WHERE nationkey > ALL (SELECT regionkey FROM region);

SELECT name FROM nation n WHERE EXISTS (SELECT 1 FROM region r WHERE EXISTS (SELECT 1 FROM supplier s WHERE s.nationkey = n.nationkey AND s.suppkey = r.regionkey));

SELECT name, (SELECT sum(x) FROM (SELECT nationkey x FROM nation a WHERE a.regionkey = r.regionkey UNION ALL SELECT suppkey FROM supplier s WHERE s.nationkey = r.regionkey)) FROM region r;

SELECT name, (SELECT sum(x) FROM (SELECT nationkey x FROM nation a WHERE a.regionkey = r.regionkey UNION ALL SELECT r.regionkey)) FROM region r;

SELECT * FROM region r, LATERAL (SELECT n.name, r.name || n.name FROM nation n WHERE n.regionkey = r.regionkey) l;

SELECT * FROM region r LEFT JOIN LATERAL (SELECT name FROM nation n WHERE n.regionkey = r.regionkey ORDER BY name LIMIT 2) l ON true;

SELECT id, t FROM memory.default.wide CROSS JOIN UNNEST(tags) u (t);

SELECT id, k, v, o FROM memory.default.wide LEFT JOIN UNNEST(attrs) WITH ORDINALITY u (k, v, o) ON true;

SELECT n.name, r.name FROM nation n LEFT JOIN region r ON n.regionkey = r.regionkey AND r.name IN (SELECT name FROM supplier s WHERE s.nationkey = n.nationkey);

SELECT n.name, regionkey FROM nation n FULL JOIN region r USING (regionkey);

SELECT regionkey, count(DISTINCT name), sum(DISTINCT nationkey) FILTER (WHERE name > 'C'), count(*) FROM nation GROUP BY regionkey;

SELECT regionkey + 1, sum(nationkey * 2) AS s FROM nation GROUP BY 1 HAVING count(*) > (SELECT count(*) FROM region) ORDER BY s + 1, max(name);

SELECT name FROM nation UNION SELECT name FROM region UNION ALL SELECT name FROM supplier;

SELECT name FROM nation UNION ALL SELECT name FROM region UNION ALL SELECT name FROM supplier ORDER BY 1 LIMIT 3;

SELECT regionkey FROM nation INTERSECT SELECT regionkey FROM region;

SELECT regionkey FROM nation EXCEPT ALL SELECT regionkey FROM region;

SELECT DISTINCT regionkey, regionkey + 1 AS next FROM nation ORDER BY next OFFSET 1;

SELECT name FROM nation ORDER BY regionkey FETCH FIRST 2 ROWS WITH TIES;

VALUES (1, 'a'), (2 + 3, NULL);

SELECT * FROM region r, LATERAL (VALUES r.regionkey, (SELECT max(nationkey) FROM nation)) v (x)
