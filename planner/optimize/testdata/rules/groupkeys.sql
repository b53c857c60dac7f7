SELECT k, n, c_name, count(*) FROM (SELECT o_custkey k, count(*) n, max(o_comment) c_name FROM orders GROUP BY o_custkey) JOIN lineitem ON l_suppkey = k GROUP BY k, n, c_name;
SELECT DISTINCT o_orderstatus, o_custkey, o_orderpriority FROM orders WHERE o_orderpriority = '1-URGENT' AND o_orderstatus = 'F';
SELECT o_orderstatus, count(*) FROM orders WHERE o_orderstatus = 'F' GROUP BY o_orderstatus;
SELECT length(o_clerk), o_clerk, upper(o_clerk), count(*) FROM orders GROUP BY 1, 2, 3;
SELECT o_clerk || '', random() < 2, count(*) FROM orders GROUP BY 1, 2;
SELECT n_name, r_name, m, count(*) FROM nation LEFT JOIN (SELECT r_regionkey k, min(r_name) m FROM region GROUP BY r_regionkey) ON n_regionkey = k JOIN region ON n_regionkey = r_regionkey GROUP BY n_name, r_name, m, n_regionkey;
SELECT k, m, count(*) FROM nation LEFT JOIN (SELECT r_regionkey k, min(r_name) m FROM region GROUP BY r_regionkey) ON n_regionkey = k GROUP BY k, m;
SELECT g, m, count(*) FROM nation LEFT JOIN (SELECT nullif(r_regionkey, 2) g, min(r_name) m, max(r_regionkey) k FROM region GROUP BY 1) ON n_regionkey = k GROUP BY g, m;
SELECT k, m, count(*) FROM nation FULL JOIN (SELECT r_regionkey k, min(r_name) m FROM region GROUP BY r_regionkey) ON n_regionkey = k GROUP BY k, m;
SELECT k, m, count(*) FROM nation FULL JOIN (SELECT nullif(r_regionkey, 2) k, min(r_name) m FROM region GROUP BY 1) ON n_regionkey = k GROUP BY k, m;
SELECT k, m, count(*) FROM nation LEFT JOIN (SELECT nullif(r_regionkey, 2) k, min(r_name) m FROM region GROUP BY 1) ON n_regionkey = k AND n_name < m GROUP BY k, m;
SELECT d, cast(d AS varchar), count(*) FROM (SELECT cast(o_totalprice AS double) d FROM orders) GROUP BY d, 2;
SELECT c_name, c_custkey, c_address, count(*) FROM customer JOIN orders ON o_custkey = c_custkey GROUP BY c_name, c_custkey, c_address;
SELECT r_name, (SELECT count(*) FROM (SELECT DISTINCT n_name FROM nation WHERE n_regionkey < r_regionkey)) FROM region
