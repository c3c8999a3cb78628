-- Orders are found by the ERP's own number too.
CREATE INDEX deliveries_erp_ref ON deliveries (erp_ref) WHERE erp_ref <> '';
