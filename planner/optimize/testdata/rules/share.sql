WITH r AS (SELECT l_suppkey k, sum(l_quantity) q FROM lineitem GROUP BY l_suppkey) SELECT k FROM r WHERE q = (SELECT max(q) FROM r);
WITH r AS (SELECT l_suppkey k, sum(l_quantity) q, min(l_shipdate) d FROM lineitem GROUP BY l_suppkey) SELECT count(*) FROM r x JOIN r y ON x.q = y.q + 1 WHERE x.d < y.d;
WITH r AS (SELECT l_suppkey k, sum(l_quantity) q, max(l_tax) t FROM lineitem GROUP BY l_suppkey) SELECT (SELECT max(q) FROM r), (SELECT min(t) FROM r), (SELECT count(k) FROM r);
WITH r AS (SELECT o_custkey k, count(*) n FROM orders JOIN customer ON o_custkey = c_custkey GROUP BY o_custkey HAVING count(*) > 30) SELECT k FROM r UNION ALL SELECT n FROM r;
WITH r AS (SELECT l_orderkey k, l_quantity q FROM lineitem ORDER BY l_extendedprice DESC LIMIT 100) SELECT (SELECT max(q) FROM r), (SELECT min(k) FROM r);
WITH a AS (SELECT l_suppkey k, sum(l_quantity) q FROM lineitem GROUP BY l_suppkey), b AS (SELECT x.k FROM a x WHERE x.q > (SELECT avg(q) FROM a)) SELECT (SELECT count(*) FROM b), (SELECT max(k) FROM b);
WITH r AS (SELECT l_suppkey k, sum(l_quantity) q FROM lineitem GROUP BY l_suppkey) SELECT (SELECT max(q) FROM r WHERE k < 10), (SELECT min(q) FROM r);
SELECT (SELECT max(n) FROM (SELECT count(*) n FROM lineitem GROUP BY l_suppkey)), (SELECT max(n) FROM (SELECT count(l_tax) n FROM lineitem GROUP BY l_partkey));
WITH r AS (SELECT l_suppkey k, sum(random()) q FROM lineitem GROUP BY l_suppkey) SELECT k FROM r WHERE q = (SELECT max(q) FROM r);
WITH r AS (SELECT l_orderkey k, l_linenumber n, sum(l_quantity) q FROM lineitem GROUP BY l_orderkey, l_linenumber) SELECT k FROM r WHERE q = (SELECT max(q) FROM r);
WITH r AS (SELECT s_nationkey k, count(*) n FROM supplier GROUP BY s_nationkey) SELECT k FROM r WHERE n = (SELECT max(n) FROM r);
WITH r AS (SELECT l_orderkey k, sum(l_quantity) q FROM lineitem JOIN orders ON l_orderkey = o_orderkey GROUP BY l_orderkey HAVING sum(l_quantity) > 300) SELECT count(*) FROM r x JOIN r y ON x.k = y.k WHERE x.k IN (SELECT o_orderkey FROM orders WHERE o_totalprice > 500000)
