package shopifytest

// bulkResult is the result of a mutation on bulk operations.
type bulkResult struct {
	op     *bulkOperation
	errors []any
}

// bulkError is a refusal with a code.
type bulkError struct {
	userError
	code string
}

// url is null while the operation runs, where it failed, and where it found
// nothing.
func (b *bulkOperation) url(outcome string) any {
	if b.status() != outcome || len(b.file) == 0 {
		return nil
	}
	return b.address()
}

// progress grows while the operation runs.
func (b *bulkOperation) progress(all int) any {
	now := b.shop.opt.Now()
	if whole := b.ends.Sub(b.created); now.Before(b.ends) && whole > 0 {
		all = int(float64(all) * now.Sub(b.created).Seconds() / whole.Seconds())
	}
	return legacy(int64(all))
}

func bulkFields() schema {
	return schema{
		"BulkOperation": {
			"id":     leaf(func(b *bulkOperation) any { return gid("BulkOperation", b.id) }),
			"status": leaf(func(b *bulkOperation) any { return b.status() }), "type": constant("QUERY"),
			"errorCode": leaf(func(b *bulkOperation) any {
				if b.status() != "FAILED" {
					return nil
				}
				return b.code
			}),
			"createdAt": leaf(func(b *bulkOperation) any { return utc(b.created) }),
			"completedAt": leaf(func(b *bulkOperation) any {
				if b.status() != "COMPLETED" {
					return nil
				}
				return utc(b.ends)
			}),
			"objectCount":     leaf(func(b *bulkOperation) any { return b.progress(b.objects) }),
			"rootObjectCount": leaf(func(b *bulkOperation) any { return b.progress(b.roots) }),
			"fileSize": leaf(func(b *bulkOperation) any {
				if b.url("COMPLETED") == nil {
					return nil
				}
				return legacy(int64(len(b.file)))
			}),
			"url":            leaf(func(b *bulkOperation) any { return b.url("COMPLETED") }),
			"partialDataUrl": leaf(func(b *bulkOperation) any { return b.url("FAILED") }),
			"query":          leaf(func(b *bulkOperation) any { return b.query }),
		},
		"BulkOperationRunQueryPayload": bulkPayload("BulkOperationUserError"),
		"BulkOperationCancelPayload":   bulkPayload("UserError"),
		"BulkOperationUserError": {
			"field":   leaf(func(e bulkError) any { return e.field }),
			"message": leaf(func(e bulkError) any { return e.message }),
			"code":    leaf(func(e bulkError) any { return e.code }),
		},
	}
}

func bulkPayload(errorType string) fields {
	return fields{
		"bulkOperation": to("BulkOperation", func(r bulkResult) any { return orNil(r.op) }),
		"userErrors":    {typ: errorType, kind: list, get: func(src any, _ args) any { return src.(bulkResult).errors }},
	}
}
