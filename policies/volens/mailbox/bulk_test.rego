package volens.mailbox_test

import data.volens.fixtures_test as f

test_bulk_mail_is_left_with_one_click if {
	facts := f.given(f.california("email", "marketing"), {"bulk": true})
	"GML-01" in f.named(facts)
	"one_click_header" in f.obliged(facts)
	"GML-01" in f.named(f.given(f.california("email", "sensitive_use"), {"bulk": true}))
	not "GML-01" in f.named(f.given(f.california("email", "service"), {"bulk": true}))
}

test_one_click_is_named if {
	"GML-01" in f.named(f.after(f.germany("email", "marketing"), [f.opt_out({"method": "one_click"})]))
}
