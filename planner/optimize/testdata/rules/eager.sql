SELECT s_name, sum(l_quantity), count(*), count(l_tax), min(l_shipdate) FROM lineitem JOIN supplier ON l_suppkey = s_suppkey GROUP BY s_name;
SELECT c_custkey, count(o_orderkey), count(*) FROM customer LEFT JOIN orders ON o_custkey = c_custkey AND o_comment NOT LIKE '%x%' GROUP BY c_custkey;
SELECT count(*), sum(l_quantity) FROM lineitem JOIN supplier ON l_suppkey = s_suppkey;
SELECT s_nationkey + l_linenumber, max(l_quantity) FROM lineitem JOIN supplier ON l_suppkey = s_suppkey GROUP BY 1;
SELECT n_name, s_nationkey, sum(l_quantity) FROM lineitem JOIN supplier ON l_suppkey = s_suppkey JOIN nation ON n_nationkey = s_nationkey GROUP BY 1, 2;
SELECT l_suppkey, count(*) FROM lineitem WHERE l_suppkey IN (SELECT s_suppkey FROM supplier WHERE s_comment LIKE '%x') GROUP BY l_suppkey;
SELECT s_name, sum(l_extendedprice * (1 - l_discount)) FROM lineitem LEFT JOIN supplier ON l_suppkey = s_suppkey GROUP BY s_name;
SELECT s_name, sum(l_extendedprice * (1 - l_discount)) FROM lineitem JOIN supplier ON l_suppkey = s_suppkey GROUP BY s_name;
SELECT s_name, sum(l_orderkey) FROM lineitem JOIN supplier ON l_suppkey = s_suppkey GROUP BY s_name;
SELECT s_name, count(DISTINCT l_partkey) FROM lineitem JOIN supplier ON l_suppkey = s_suppkey GROUP BY s_name;
SELECT s_name, count(l_partkey) FILTER (WHERE l_tax > 0) FROM lineitem JOIN supplier ON l_suppkey = s_suppkey GROUP BY s_name;
SELECT s_name, avg(l_quantity) FROM lineitem JOIN supplier ON l_suppkey = s_suppkey GROUP BY s_name;
SELECT s_name, sum(l_quantity), max(s_acctbal) FROM lineitem JOIN supplier ON l_suppkey = s_suppkey GROUP BY s_name;
SELECT o_orderpriority, sum(l_quantity) FROM lineitem JOIN orders ON l_orderkey = o_orderkey GROUP BY o_orderpriority;
SELECT s_name, sum(l_quantity) FROM lineitem JOIN supplier ON l_suppkey = s_suppkey WHERE s_nationkey = 3 GROUP BY s_name;
SELECT s_name, sum(l_quantity) FROM lineitem FULL JOIN supplier ON l_suppkey = s_suppkey GROUP BY s_name
