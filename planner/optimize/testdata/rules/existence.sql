SELECT c_name FROM customer WHERE c_custkey NOT IN (SELECT o_custkey FROM orders);
SELECT c_name FROM customer WHERE c_custkey NOT IN (SELECT nullif(o_custkey, 1) FROM orders);
SELECT c_name, c_custkey IN (SELECT o_custkey FROM orders) FROM customer;
SELECT c_name FROM (SELECT c_name, c_custkey IN (SELECT o_custkey FROM orders) buys FROM customer) WHERE buys;
SELECT c_name FROM (SELECT c_name, c_custkey IN (SELECT o_custkey FROM orders) buys FROM customer) WHERE NOT buys
;
SELECT c_name FROM customer LEFT JOIN orders ON o_custkey = c_custkey WHERE o_custkey IS NULL;
SELECT c_name, o_orderkey FROM customer LEFT JOIN orders ON o_custkey = c_custkey WHERE o_orderkey IS NULL
