package dbgen

// What supplier and customer have in common (clause 4.2.3).
const (
	minBalance     = -99_999 // hundredths
	numBalances    = 1_099_999
	averageAddress = 25
)

// addressStream draws addresses: a length, then one number for each five
// characters.
type addressStream struct{ stream }

const addressDraws = 9

func newAddressStream(seed uint64, from int64) addressStream {
	return addressStream{newStream(seed, addressDraws, from)}
}

// addressLetters are picked by six bits each (alpha_num in dbgen's bm_utils.c).
const addressLetters = "0123456789abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ,"

const (
	minAddress = int(averageAddress * shortest)
	maxAddress = int(averageAddress * longest)
)

func (s *addressStream) fill(v *Vector, n int) {
	dst := v.beginText(n, maxAddress)
	at := 0
	for i := range n {
		length := minAddress + int(pick(s.state, float64(maxAddress-minAddress+1)))
		putLetters(dst[at:at+length], s.state)
		at += length
		v.Offsets[i+1] = int32(at)
		s.state = mulmod(s.state, s.jump)
	}
	v.Bytes = dst[:at]
}

// putLetters fills dst with letters drawn after state. dbgen asks for numbers
// of 0 … 2³¹−1; their count overflows to −2³¹, so the bits come from a negative
// number, rounded towards zero.
func putLetters(dst []byte, state uint64) {
	var bits int64
	for i := range dst {
		if i%5 == 0 {
			state = mulmod(state, multiplier)
			bits = pick(state, -1<<31)
		}
		dst[i] = addressLetters[bits&0x3f]
		bits >>= 6
	}
}

// phoneStream draws phone numbers: three numbers each.
type phoneStream struct{ stream }

func newPhoneStream(seed uint64, from int64) phoneStream {
	return phoneStream{newStream(seed, 3, from)}
}

// phoneSize is the length of all phone numbers (clause 4.2.2.9).
const phoneSize = len("27-918-335-1736")

func (s *phoneStream) fill(v *Vector, nations []int64) {
	dst := v.beginText(len(nations), phoneSize)
	at := 0
	for i, nation := range nations {
		d := dst[at : at+phoneSize]
		first := s.state
		second := mulmod(first, multiplier)
		third := mulmod(second, multiplier)
		putPadded(d, 10+nation, 2)
		putPadded(d[3:], 100+pick(first, 900), 3)
		putPadded(d[7:], 100+pick(second, 900), 3)
		putPadded(d[11:], 1000+pick(third, 9000), 4)
		d[2], d[6], d[10] = '-', '-', '-'
		at += phoneSize
		v.Offsets[i+1] = int32(at)
		s.state = mulmod(s.state, s.jump)
	}
	v.Bytes = dst[:at]
}

// people makes the columns that supplier and customer share.
type people struct {
	*rows
	keys, nations            []int64
	nation, balance          stream
	address                  addressStream
	phone                    phoneStream
	comment                  commentStream
	prefix                   string
	cName, cNation, cPhone   int // the table's columns
	cAddress, cBalance, cKey int
}

// fillShared fills all shared columns but the comment.
func (p *people) fillShared(b *Batch, n int) {
	p.keys = sized(p.keys, n)
	fillRange(p.keys, p.next+1)
	if v := p.out(b, p.cKey); v != nil {
		copy(v.int64s(n), p.keys)
	}
	if v := p.out(b, p.cName); v != nil {
		fillNumbered(v, p.prefix, p.keys)
	}
	if v := p.out(b, p.cAddress); v != nil {
		p.address.fill(v, n)
	}
	if v := p.out(b, p.cBalance); v != nil {
		draw(&p.balance, v.int64s(n), minBalance, numBalances)
	}
	p.fillNation(b, n)
}

// fillNation fills nation and phone, whose country code is the nation's.
func (p *people) fillNation(b *Batch, n int) {
	if !p.wants(p.cNation) && !p.wants(p.cPhone) {
		return
	}
	p.nations = sized(p.nations, n)
	draw(&p.nation, p.nations, 0, float64(len(nationNames)))
	if v := p.out(b, p.cNation); v != nil {
		copy(v.int64s(n), p.nations)
	}
	if v := p.out(b, p.cPhone); v != nil {
		p.phone.fill(v, p.nations)
	}
}

// customerFiller makes customer.
type customerFiller struct {
	people
	segment stream
}

func newCustomerFiller(r *rows) filler {
	return &customerFiller{
		people: people{
			rows:    r,
			nation:  newStream(1489529863, 1, r.next),
			balance: newStream(298370230, 1, r.next),
			address: newAddressStream(881155353, r.next),
			phone:   newPhoneStream(1521138112, r.next),
			comment: newCommentStream(r.g.text, 1335826707, 73, 1, r.next),
			prefix:  "Customer#",
			cKey:    CCustKey, cName: CName, cAddress: CAddress,
			cNation: CNationKey, cPhone: CPhone, cBalance: CAcctBal,
		},
		segment: newStream(1140279430, 1, r.next),
	}
}

func (f *customerFiller) fill(b *Batch, maxRows int) (int, int) {
	n := f.left(maxRows)
	f.fillShared(b, n)
	if v := f.out(b, CMktSegment); v != nil {
		drawCodes(&f.segment, v.codes(n), float64(len(segments)))
	}
	if v := f.out(b, CComment); v != nil {
		f.comment.fill(v, n, 1)
	}
	return n, n
}

// supplierFiller makes supplier.
type supplierFiller struct {
	people
	// Ten in 10,000 suppliers have a note of the Better Business Bureau in
	// their comment: whether, how far apart its words are, where, and which.
	noted, junk, place, verdict stream
}

func newSupplierFiller(r *rows) filler {
	return &supplierFiller{
		people: people{
			rows:    r,
			nation:  newStream(110356601, 1, r.next),
			balance: newStream(962338209, 1, r.next),
			address: newAddressStream(706178559, r.next),
			phone:   newPhoneStream(884434366, r.next),
			comment: newCommentStream(r.g.text, 1341315363, 63, 1, r.next),
			prefix:  "Supplier#",
			cKey:    SSuppKey, cName: SName, cAddress: SAddress,
			cNation: SNationKey, cPhone: SPhone, cBalance: SAcctBal,
		},
		noted:   newStream(202794285, 1, r.next),
		junk:    newStream(263032577, 1, r.next),
		place:   newStream(715851524, 1, r.next),
		verdict: newStream(753643799, 1, r.next),
	}
}

func (f *supplierFiller) fill(b *Batch, maxRows int) (int, int) {
	n := f.left(maxRows)
	f.fillShared(b, n)
	if v := f.out(b, SComment); v != nil {
		f.comment.fill(v, n, 1)
		f.addNotes(v, n)
	}
	return n, n
}

// The notes: "Customer ", some of the comment, and one of two words.
const (
	notesPerBase     = 10
	noteHead         = "Customer "
	noteBad          = "Complaints"
	noteGood         = "Recommends"
	noteSize         = len(noteHead) + len(noteBad)
	badPercent       = 50
	numVerdictValues = 101
)

// addNotes overwrites parts of the comments of noted suppliers (clause 4.2.3,
// S_COMMENT).
func (f *supplierFiller) addNotes(v *Vector, n int) {
	for i := range n {
		if pick(f.noted.state, suppliersBase) < notesPerBase {
			comment := v.Text(i)
			gap := int(pick(f.junk.state, float64(len(comment)-noteSize+1)))
			at := int(pick(f.place.state, float64(len(comment)-noteSize-gap+1)))
			word := noteGood
			if pick(f.verdict.state, numVerdictValues) < badPercent {
				word = noteBad
			}
			copy(comment[at:], noteHead)
			copy(comment[at+len(noteHead)+gap:], word)
		}
		for _, s := range []*stream{&f.noted, &f.junk, &f.place, &f.verdict} {
			s.state = mulmod(s.state, s.jump)
		}
	}
}
