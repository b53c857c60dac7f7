SELECT o_orderkey FROM orders ORDER BY o_totalprice LIMIT 10;
SELECT o_orderkey FROM orders ORDER BY o_totalprice OFFSET 5 LIMIT 10;
SELECT k FROM (SELECT o_orderkey k FROM orders UNION ALL SELECT c_custkey FROM customer) ORDER BY k LIMIT 10;
SELECT o_orderkey, c_name FROM orders LEFT JOIN customer ON o_custkey = c_custkey LIMIT 10;
SELECT o_orderkey, c_name FROM orders LEFT JOIN customer ON o_custkey = c_custkey ORDER BY o_totalprice LIMIT 10;
SELECT o_orderkey, c_name FROM orders LEFT JOIN customer ON o_custkey = c_custkey ORDER BY c_name LIMIT 10;
SELECT o_orderkey FROM orders LIMIT 10
