package erp

// SettingError is one setting of an ERP that can't be used. An adapter's New
// joins all of them with errors.Join, so that an operator mends them at once.
type SettingError struct {
	Key     string // the key in the config ("order_path")
	Problem string // what is wrong with it, without the value of a secret
	Fix     string // what to write instead
}

// Error gives key, problem and fix in one line.
func (e *SettingError) Error() string { return e.Key + ": " + e.Problem + "; " + e.Fix }
