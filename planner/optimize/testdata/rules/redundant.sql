SELECT max(k) FROM (SELECT o_orderkey k FROM orders ORDER BY o_totalprice);
SELECT DISTINCT o_custkey, n FROM (SELECT o_custkey, count(*) n FROM orders GROUP BY o_custkey);
SELECT n_name FROM (SELECT * FROM nation ORDER BY n_name) JOIN region ON n_regionkey = r_regionkey
