SELECT c_name, o_orderkey FROM customer LEFT JOIN orders ON o_custkey = c_custkey;
SELECT c_name, o_orderkey FROM orders RIGHT JOIN customer ON o_custkey = c_custkey;
SELECT c_name, o_orderkey FROM customer FULL JOIN orders ON o_custkey = c_custkey;
SELECT c_name, n_name FROM customer LEFT JOIN nation ON n_nationkey = c_nationkey;
SELECT c_name, o_orderkey FROM orders RIGHT JOIN customer ON o_custkey < c_custkey
