"""Orders: checkout, order history, and the warehouse."""

from __future__ import annotations

from random import Random

from pymysql.cursors import Cursor

from libs.lab.schema import HISTORY_ROWS, HOT_ROWS, ClientProgram, History, Hot, Service, Table

_PRODUCTS, _ORDERS, _ITEMS, _CUSTOMERS = 500, 20_000, 40_000, 2_000
_TAKE_FROM_STOCK = "UPDATE products SET stock = stock - 1 WHERE id = %s"


def _place_order(cursor: Cursor, chance: Random) -> None:
    product = chance.randint(1, HOT_ROWS)
    cursor.execute("SELECT price_cents, stock FROM products WHERE id = %s", (product,))
    cursor.execute(
        "INSERT INTO orders (customer_id, status, total_cents, created_at) VALUES (%s, 'new', %s, NOW())",
        (chance.randint(1, _CUSTOMERS), chance.randint(500, 90_000)),
    )
    cursor.execute(
        "INSERT INTO order_items (order_id, product_id, quantity) VALUES (%s, %s, %s)",
        (cursor.lastrowid, product, chance.randint(1, 4)),
    )
    cursor.execute(_TAKE_FROM_STOCK, (product,))


def _show_order(cursor: Cursor, chance: Random) -> None:
    order = chance.randint(1, _ORDERS)
    cursor.execute("SELECT status, total_cents, created_at FROM orders WHERE id = %s", (order,))
    cursor.execute(
        "SELECT p.name, i.quantity FROM order_items AS i JOIN products AS p ON p.id = i.product_id"
        " WHERE i.order_id = %s",
        (order,),
    )


def _list_orders(cursor: Cursor, chance: Random) -> None:
    cursor.execute(
        "SELECT id, status, total_cents FROM orders WHERE customer_id = %s ORDER BY created_at DESC LIMIT 10",
        (chance.randint(1, _CUSTOMERS),),
    )


def _track_order(cursor: Cursor, chance: Random) -> None:
    cursor.execute(
        "SELECT kind, created_at FROM order_events WHERE order_id = %s ORDER BY id", (chance.randint(1, _ORDERS),)
    )


def _pick_order(cursor: Cursor, chance: Random) -> None:
    order = chance.randint(1, _ORDERS)
    cursor.execute("UPDATE orders SET status = 'picked' WHERE id = %s", (order,))
    cursor.execute(
        "INSERT INTO order_events (order_id, kind, carrier_reference, detail, created_at)"
        " VALUES (%s, 'picked', %s, 'picked in aisle', NOW())",
        (order, f"CR{chance.getrandbits(48):012x}"),
    )


ORDERS = Service(
    name="orders",
    tables=(
        Table(
            "products",
            "id INT PRIMARY KEY, sku VARCHAR(24) NOT NULL UNIQUE, name VARCHAR(80) NOT NULL, price_cents INT NOT NULL,"
            " stock INT NOT NULL",
            _PRODUCTS,
            "n + 1, CONCAT('SKU-', LPAD(n, 6, '0')), CONCAT('Product ', n), 500 + n * 7 % 9000, 1000000",
        ),
        Table(
            "orders",
            "id BIGINT PRIMARY KEY AUTO_INCREMENT, customer_id INT NOT NULL, status VARCHAR(16) NOT NULL,"
            " total_cents INT NOT NULL, created_at DATETIME NOT NULL, KEY by_customer (customer_id, created_at)",
            _ORDERS,
            f"n + 1, n % {_CUSTOMERS} + 1, 'delivered', 500 + n * 13 % 90000, NOW() - INTERVAL n MINUTE",
        ),
        Table(
            "order_items",
            "id BIGINT PRIMARY KEY AUTO_INCREMENT, order_id BIGINT NOT NULL, product_id INT NOT NULL,"
            " quantity INT NOT NULL, KEY by_order (order_id)",
            _ITEMS,
            f"n + 1, n % {_ORDERS} + 1, n % {_PRODUCTS} + 1, 1 + n % 4",
        ),
        Table(
            "order_events",
            "id BIGINT PRIMARY KEY AUTO_INCREMENT, order_id BIGINT NOT NULL, kind VARCHAR(16) NOT NULL,"
            " carrier_reference VARCHAR(32) NOT NULL, detail VARCHAR(120) NOT NULL, created_at DATETIME NOT NULL,"
            " KEY by_order (order_id)",
            HISTORY_ROWS,
            f"n + 1, n % {_ORDERS} + 1, ELT(1 + n % 3, 'paid', 'packed', 'shipped'), LEFT(SHA2(n, 256), 16),"
            " CONCAT('carrier scan ', n), NOW() - INTERVAL n SECOND",
        ),
    ),
    programs=(
        ClientProgram("checkout-api", 4, 8, (_place_order, _show_order)),
        ClientProgram("order-history", 2, 8, (_list_orders, _track_order)),
        ClientProgram("warehouse-worker", 1, 2, (_pick_order,)),
    ),
    hot=Hot("products", _TAKE_FROM_STOCK),
    history=History(
        "order_events",
        "carrier_reference",
        "SELECT order_id, kind, created_at FROM order_events WHERE carrier_reference = %s",
        "by_order",
        "SELECT o.status, e.kind, e.created_at FROM orders AS o JOIN order_events AS e ON e.order_id = o.id"
        " WHERE o.customer_id = %s",
    ),
)
