-- Example rows for development. Safe to run again: a row that is there stays as it is.
INSERT INTO users (id, name, email) VALUES
    (1, 'Ada Lovelace', 'ada@example.com'),
    (2, 'Grace Hopper', 'grace@example.com')
ON DUPLICATE KEY UPDATE id = id;

INSERT INTO products (id, name, category, price_cents) VALUES
    (1, 'Desk lamp', 'lighting', 4900),
    (2, 'Floor lamp', 'lighting', 12900),
    (3, 'Lava lamp', 'lighting', 3900),
    (4, 'Oak desk', 'furniture', 38900),
    (5, 'Office chair', 'furniture', 21900),
    (6, 'Notebook', 'stationery', 700),
    (7, 'Fountain pen', 'stationery', 5600)
ON DUPLICATE KEY UPDATE id = id;
