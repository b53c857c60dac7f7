SELECT count(*) FROM orders WHERE 1 = 2;
SELECT o_orderkey FROM orders JOIN customer ON o_custkey = c_custkey AND false;
SELECT o_orderkey, c_name FROM orders LEFT JOIN (SELECT * FROM customer WHERE NULL) ON o_custkey = c_custkey;
SELECT o_orderkey FROM orders UNION ALL SELECT c_custkey FROM customer LIMIT 0;
SELECT o_orderkey FROM orders UNION ALL (SELECT c_custkey FROM customer LIMIT 0);
SELECT o_orderkey FROM orders WHERE o_custkey NOT IN (SELECT c_custkey FROM customer WHERE false)
