-- Example rows for development. Safe to run again.
INSERT INTO users (id, name, email) VALUES
    (1, 'Ada Lovelace', 'ada@example.com'),
    (2, 'Grace Hopper', 'grace@example.com')
ON CONFLICT DO NOTHING;

INSERT INTO products (id, name, category, price_cents) VALUES
    (1, 'Desk lamp', 'lighting', 4900),
    (2, 'Floor lamp', 'lighting', 12900),
    (3, 'Lava lamp', 'lighting', 3900),
    (4, 'Oak desk', 'furniture', 38900),
    (5, 'Office chair', 'furniture', 21900),
    (6, 'Notebook', 'stationery', 700),
    (7, 'Fountain pen', 'stationery', 5600)
ON CONFLICT DO NOTHING;

-- Ids that were given do not move the sequences.
SELECT setval(pg_get_serial_sequence('users', 'id'), max(id)) FROM users;
SELECT setval(pg_get_serial_sequence('products', 'id'), max(id)) FROM products;
