"""Fills a fresh Tryton with the small shop our tests sell from.

usage: seed.py CONFIG PASSWORD    (PASSWORD is what the user "sync" logs in with)

All names and figures are made up. It runs once a year and a version of this
file; afterwards the database is copied from the cache.
"""
import datetime
import sys
from decimal import Decimal

from trytond.config import config as server_config

config_file, password = sys.argv[1:]
server_config.update_etc(config_file)

from proteus import Model, Wizard, config as proteus  # noqa: E402 (reads the config on import)

session = proteus.set_trytond('erp', user='admin', config_file=config_file)
YEAR = datetime.date.today().year


def one(model, **equal):
    record, = Model.get(model).find([(k, '=', v) for k, v in equal.items()])
    return record


def add(model, **values):
    record = Model.get(model)(**values)
    record.save()
    return record


def by_xml_id(module, name):
    data = one('ir.model.data', module=module, fs_id=name)
    return Model.get(data.model)(data.db_id)


def same(model, record):
    """A second handle on record: proteus lets a record sit in one list only."""
    return Model.get(model)(record.id)


def finish_setup_wizards():
    for item in Model.get('ir.module.config_wizard.item').find([('state', '=', 'open')]):
        item.state = 'done'
        item.save()


def currencies():
    rates = {'EUR': ('1', 2), 'USD': ('1.10', 2), 'JPY': ('155', 0)}
    made = {}
    for code, (rate, digits) in rates.items():
        made[code] = add('currency.currency', code=code, name=code, symbol=code,
            digits=digits, rounding=Decimal(1).scaleb(-digits))
        line = made[code].rates.new()
        line.date, line.rate = datetime.date(YEAR - 1, 1, 1), Decimal(rate)
        made[code].save()
    return made


def countries():
    regions = {
        'ES': ('Spain', 'province', {'ES-M': 'Madrid', 'ES-B': 'Barcelona'}),
        'DE': ('Germany', 'state', {}),
        'US': ('United States', 'state', {'US-NY': 'New York', 'US-CA': 'California'}),
        'JP': ('Japan', 'prefecture', {}),
    }
    for code, (name, kind, parts) in regions.items():
        country = add('country.country', code=code, name=name)
        for part, title in parts.items():
            add('country.subdivision', code=part, name=title, type=kind, country=country)


def company(currency):
    party = add('party.party', name='Gapless Test Trading', code='OURSELVES')
    wizard = Wizard('company.company.config')
    wizard.execute('company')
    wizard.form.party, wizard.form.currency = party, currency
    wizard.execute('add')
    session._context = Model.get('res.user').get_preferences(True, {})
    return Model.get('company.company').find([])[0]


def accounts(company):
    wizard = Wizard('account.create_chart')
    wizard.execute('account')
    wizard.form.account_template = by_xml_id('account', 'account_template_root_en')
    wizard.form.company = company
    wizard.execute('create_account')
    Account = Model.get('account.account')

    def first(kind):
        return Account.find([('type.' + kind, '=', True), ('company', '=', company.id)], limit=1)[0]
    wizard.form.account_receivable = first('receivable')
    wizard.form.account_payable = first('payable')
    wizard.execute('create_properties')
    return {
        'revenue': first('revenue'), 'expense': first('expense'),
        'tax': one('account.account', name='Main Tax'),
    }


def fiscal_years(company):
    moves = one('ir.sequence.type', name='Account Move')
    invoices = one('ir.sequence.type', name='Invoice')
    for year in (YEAR - 1, YEAR, YEAR + 1):
        book = Model.get('account.fiscalyear')(name=str(year), company=company,
            start_date=datetime.date(year, 1, 1), end_date=datetime.date(year, 12, 31))
        book.post_move_sequence = add('ir.sequence', name='Moves %d' % year,
            sequence_type=moves, company=company)
        numbers = add('ir.sequence.strict', name='Invoices %d' % year,
            sequence_type=invoices, company=company, prefix='%d-' % year)
        for kind in ('out_invoice', 'out_credit_note', 'in_invoice', 'in_credit_note'):
            setattr(book.invoice_sequences[0], kind + '_sequence', numbers)
        book.save()
        book.click('create_period')


def taxes(account):
    rates = {
        'VAT 21': '0.21', 'VAT 10': '0.10', 'Zero rated': '0',
        'State tax 4': '0.04', 'City tax 4.5': '0.045', 'District tax 0.375': '0.00375',
        # Two of one rate, so that only a setting can tell them apart.
        'Reduced A 7': '0.07', 'Reduced B 7': '0.07',
    }
    return {name: add('account.tax', name=name, description=name, type='percentage',
        rate=Decimal(rate), invoice_account=account, credit_note_account=account)
        for name, rate in rates.items()}


def products(ledger, tax):
    unit = one('product.uom', name='Unit')
    groups = {}
    for name, tax_name in (('General', 'VAT 21'), ('Food', 'VAT 10'), ('Untaxed', None)):
        group = Model.get('product.category')(name=name, accounting=True,
            account_revenue=ledger['revenue'], account_expense=ledger['expense'])
        if tax_name:
            group.customer_taxes.append(same('account.tax', tax[tax_name]))
        group.save()
        groups[name] = group
    goods = []

    def sell(name, group, kind, price, *codes):
        template = Model.get('product.template')(name=name, type=kind, default_uom=unit,
            sale_uom=unit, salable=True, list_price=Decimal(price), account_category=groups[group])
        for n, code in enumerate(codes):
            variant = template.products[0] if n == 0 else template.products.new()
            variant.suffix_code, variant.cost_price = code, Decimal(price) / 2
        template.save()
        if kind == 'goods':
            goods.extend(template.products)

    sell('T-shirt', 'General', 'goods', '19.95', 'TSHIRT-BLK-S', 'TSHIRT-BLK-M')
    sell('Mug', 'General', 'goods', '8.50', 'MUG-01')
    sell('Coffee 1 kg', 'Food', 'goods', '12.40', 'COFFEE-1KG')
    sell('Snowboard', 'General', 'goods', '699.00', 'SNOW-001')
    sell('Gift card', 'Untaxed', 'service', '50.00', 'GIFT-50')
    for code, group in (('SHIPPING', 'General'), ('DISCOUNT', 'General'), ('TIP', 'Untaxed'),
            ('ROUNDING', 'Untaxed'), ('DUTIES', 'Untaxed'), ('FEES', 'Untaxed'), ('OTHER', 'General')):
        sell(code.capitalize(), group, 'service', '0', code)
    return goods


def opening_stock(goods):
    store = one('stock.location', code='WH').storage_location
    count = Model.get('stock.inventory')(location=store, date=datetime.date(YEAR, 1, 1))
    for product in goods:
        line = count.lines.new()
        line.product, line.quantity = same('product.product', product), 100000.0
    count.save()
    count.click('confirm')


def integration_user(company):
    user = Model.get('res.user')(name='Order sync', login='sync', company=company)
    user.companies.append(same('company.company', company))
    for module, group in (('sale', 'group_sale'), ('account', 'group_account'),
            ('stock', 'group_stock'), ('party', 'group_party_admin')):
        user.groups.append(by_xml_id(module, group))
    user.password = password
    user.save()


finish_setup_wizards()
currency = currencies()
countries()
us = company(currency['EUR'])
ledger = accounts(us)
fiscal_years(us)
tax = taxes(ledger['tax'])
term = Model.get('account.invoice.payment_term')(name='Paid in advance')
term.lines.new(type='remainder')
term.save()
settings = Model.get('account.configuration')(1)
settings.default_customer_payment_term = term
settings.save()
opening_stock(products(ledger, tax))
integration_user(us)
