SELECT count(*) FROM orders JOIN customer ON o_custkey = c_custkey AND c_nationkey = 3;
SELECT count(*) FROM (SELECT o_custkey k, count(*) n FROM orders GROUP BY o_custkey) JOIN customer ON k = c_custkey AND c_nationkey = 3;
SELECT count(*) FROM (SELECT o_custkey k FROM orders UNION ALL SELECT o_orderkey FROM orders) JOIN customer ON k = c_custkey AND c_nationkey = 3;
SELECT count(*) FROM (SELECT o_custkey k FROM orders LIMIT 1000000) JOIN customer ON k = c_custkey AND c_nationkey = 3;
SELECT count(*) FROM orders LEFT JOIN (SELECT * FROM customer WHERE c_nationkey = 3) ON o_custkey = c_custkey;
SELECT count(*) FROM orders JOIN customer ON o_custkey = c_custkey
