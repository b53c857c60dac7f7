package dbgen

// The word lists of the specification (clauses 4.2.2.13 and 4.2.2.14), in the
// order of dbgen's dists.dss: the order decides which number picks which word.

var regionNames = []string{"AFRICA", "AMERICA", "ASIA", "EUROPE", "MIDDLE EAST"}

var nationNames = []string{
	"ALGERIA", "ARGENTINA", "BRAZIL", "CANADA", "EGYPT",
	"ETHIOPIA", "FRANCE", "GERMANY", "INDIA", "INDONESIA",
	"IRAN", "IRAQ", "JAPAN", "JORDAN", "KENYA",
	"MOROCCO", "MOZAMBIQUE", "PERU", "CHINA", "ROMANIA",
	"SAUDI ARABIA", "VIETNAM", "RUSSIA", "UNITED KINGDOM", "UNITED STATES",
}

// nationRegions gives the region of each nation.
var nationRegions = [...]int64{
	0, 1, 1, 1, 4,
	0, 3, 3, 2, 2,
	4, 4, 2, 4, 0,
	0, 0, 1, 2, 3,
	4, 2, 3, 3, 1,
}

var (
	segments      = []string{"AUTOMOBILE", "BUILDING", "FURNITURE", "HOUSEHOLD", "MACHINERY"}
	priorities    = []string{"1-URGENT", "2-HIGH", "3-MEDIUM", "4-NOT SPECIFIED", "5-LOW"}
	instructions  = []string{"DELIVER IN PERSON", "COLLECT COD", "TAKE BACK RETURN", "NONE"}
	shipModes     = []string{"REG AIR", "AIR", "RAIL", "TRUCK", "MAIL", "FOB", "SHIP"}
	returnFlags   = []string{"R", "A", "N"}
	lineStatuses  = []string{"F", "O"}
	orderStatuses = []string{"F", "O", "P"}

	manufacturers = []string{
		"Manufacturer#1", "Manufacturer#2", "Manufacturer#3", "Manufacturer#4", "Manufacturer#5",
	}
	brands = []string{
		"Brand#11", "Brand#12", "Brand#13", "Brand#14", "Brand#15",
		"Brand#21", "Brand#22", "Brand#23", "Brand#24", "Brand#25",
		"Brand#31", "Brand#32", "Brand#33", "Brand#34", "Brand#35",
		"Brand#41", "Brand#42", "Brand#43", "Brand#44", "Brand#45",
		"Brand#51", "Brand#52", "Brand#53", "Brand#54", "Brand#55",
	}
	containers = product(
		[]string{"SM", "LG", "MED", "JUMBO", "WRAP"},
		[]string{"CASE", "BOX", "BAG", "JAR", "PACK", "PKG", "CAN", "DRUM"})
	partTypes = product(
		product(
			[]string{"STANDARD", "SMALL", "MEDIUM", "LARGE", "ECONOMY", "PROMO"},
			[]string{"ANODIZED", "BURNISHED", "PLATED", "POLISHED", "BRUSHED"}),
		[]string{"TIN", "NICKEL", "BRASS", "STEEL", "COPPER"})
)

// Codes of the flags that are decided by dates rather than drawn.
const (
	flagNone       = 2 // returnFlags: not yet received
	statusFilled   = 0 // lineStatuses and orderStatuses
	statusOpen     = 1
	statusPartial  = 2 // orderStatuses only
	numReturnDraws = 2 // R and A are drawn, N is not
)

// product returns every "a b", b varying fastest.
func product(a, b []string) []string {
	all := make([]string, 0, len(a)*len(b))
	for _, x := range a {
		for _, y := range b {
			all = append(all, x+" "+y)
		}
	}
	return all
}

// colors are the words of part names.
var colors = [...]string{
	"almond", "antique", "aquamarine", "azure", "beige", "bisque", "black", "blanched",
	"blue", "blush", "brown", "burlywood", "burnished", "chartreuse", "chiffon", "chocolate",
	"coral", "cornflower", "cornsilk", "cream", "cyan", "dark", "deep", "dim",
	"dodger", "drab", "firebrick", "floral", "forest", "frosted", "gainsboro", "ghost",
	"goldenrod", "green", "grey", "honeydew", "hot", "indian", "ivory", "khaki",
	"lace", "lavender", "lawn", "lemon", "light", "lime", "linen", "magenta",
	"maroon", "medium", "metallic", "midnight", "mint", "misty", "moccasin", "navajo",
	"navy", "olive", "orange", "orchid", "pale", "papaya", "peach", "peru",
	"pink", "plum", "powder", "puff", "purple", "red", "rose", "rosy",
	"royal", "saddle", "salmon", "sandy", "seashell", "sienna", "sky", "slate",
	"smoke", "snow", "spring", "steel", "tan", "thistle", "tomato", "turquoise",
	"violet", "wheat", "white", "yellow",
}

// weighted is a word of the comment grammar and its share of the draws.
type weighted struct {
	word   string
	weight int
}

var nouns = []weighted{
	{"packages", 40}, {"requests", 40}, {"accounts", 40}, {"deposits", 40},
	{"foxes", 20}, {"ideas", 20}, {"theodolites", 20}, {"pinto beans", 20},
	{"instructions", 20}, {"dependencies", 10}, {"excuses", 10}, {"platelets", 10},
	{"asymptotes", 10}, {"courts", 5}, {"dolphins", 5}, {"multipliers", 1},
	{"sauternes", 1}, {"warthogs", 1}, {"frets", 1}, {"dinos", 1},
	{"attainments", 1}, {"somas", 1}, {"Tiresias", 1}, {"patterns", 1},
	{"forges", 1}, {"braids", 1}, {"frays", 1}, {"warhorses", 1},
	{"dugouts", 1}, {"notornis", 1}, {"epitaphs", 1}, {"pearls", 1},
	{"tithes", 1}, {"waters", 1}, {"orbits", 1}, {"gifts", 1},
	{"sheaves", 1}, {"depths", 1}, {"sentiments", 1}, {"decoys", 1},
	{"realms", 1}, {"pains", 1}, {"grouches", 1}, {"escapades", 1},
	{"hockey players", 1},
}

var verbs = []weighted{
	{"sleep", 20}, {"wake", 20}, {"are", 20}, {"cajole", 20}, {"haggle", 20},
	{"nag", 10}, {"use", 10}, {"boost", 10}, {"affix", 5}, {"detect", 5},
	{"integrate", 5}, {"maintain", 1}, {"nod", 1}, {"was", 1}, {"lose", 1},
	{"sublate", 1}, {"solve", 1}, {"thrash", 1}, {"promise", 1}, {"engage", 1},
	{"hinder", 1}, {"print", 1}, {"x-ray", 1}, {"breach", 1}, {"eat", 1},
	{"grow", 1}, {"impress", 1}, {"mold", 1}, {"poach", 1}, {"serve", 1},
	{"run", 1}, {"dazzle", 1}, {"snooze", 1}, {"doze", 1}, {"unwind", 1},
	{"kindle", 1}, {"play", 1}, {"hang", 1}, {"believe", 1}, {"doubt", 1},
}

var adverbs = []weighted{
	{"sometimes", 1}, {"always", 1}, {"never", 1}, {"furiously", 50}, {"slyly", 50},
	{"carefully", 50}, {"blithely", 40}, {"quickly", 30}, {"fluffily", 20}, {"slowly", 1},
	{"quietly", 1}, {"ruthlessly", 1}, {"thinly", 1}, {"closely", 1}, {"doggedly", 1},
	{"daringly", 1}, {"bravely", 1}, {"stealthily", 1}, {"permanently", 1}, {"enticingly", 1},
	{"idly", 1}, {"busily", 1}, {"regularly", 1}, {"finally", 1}, {"ironically", 1},
	{"evenly", 1}, {"boldly", 1}, {"silently", 1},
}

var adjectives = []weighted{
	{"special", 20}, {"pending", 20}, {"unusual", 20}, {"express", 20}, {"furious", 1},
	{"sly", 1}, {"careful", 1}, {"blithe", 1}, {"quick", 1}, {"fluffy", 1},
	{"slow", 1}, {"quiet", 1}, {"ruthless", 1}, {"thin", 1}, {"close", 1},
	{"dogged", 1}, {"daring", 1}, {"brave", 1}, {"stealthy", 1}, {"permanent", 1},
	{"enticing", 1}, {"idle", 1}, {"busy", 1}, {"regular", 50}, {"final", 40},
	{"ironic", 40}, {"even", 30}, {"bold", 20}, {"silent", 10},
}

var auxiliaries = []weighted{
	{"do", 1}, {"may", 1}, {"might", 1}, {"shall", 1}, {"will", 1}, {"would", 1},
	{"can", 1}, {"could", 1}, {"should", 1}, {"ought to", 1}, {"must", 1},
	{"will have to", 1}, {"shall have to", 1}, {"could have to", 1},
	{"should have to", 1}, {"must have to", 1}, {"need to", 1}, {"try to", 1},
}

// The misspelled "whithout" is dbgen's.
var prepositions = []weighted{
	{"about", 50}, {"above", 50}, {"according to", 50}, {"across", 50}, {"after", 50},
	{"against", 40}, {"along", 40}, {"alongside of", 30}, {"among", 30}, {"around", 20},
	{"at", 10}, {"atop", 1}, {"before", 1}, {"behind", 1}, {"beneath", 1},
	{"beside", 1}, {"besides", 1}, {"between", 1}, {"beyond", 1}, {"by", 1},
	{"despite", 1}, {"during", 1}, {"except", 1}, {"for", 1}, {"from", 1},
	{"in place of", 1}, {"inside", 1}, {"instead of", 1}, {"into", 1}, {"near", 1},
	{"of", 1}, {"on", 1}, {"outside", 1}, {"over", 1}, {"past", 1},
	{"since", 1}, {"through", 1}, {"throughout", 1}, {"to", 1}, {"toward", 1},
	{"under", 1}, {"until", 1}, {"up", 1}, {"upon", 1}, {"whithout", 1},
	{"with", 1}, {"within", 1},
}

var terminators = []weighted{{".", 50}, {";", 1}, {":", 1}, {"?", 1}, {"!", 1}, {"--", 1}}

// The grammar (clause 4.2.2.14). Sentences: N noun phrase, V verb phrase,
// P preposition, "the" and a noun phrase, T terminator. Phrases: N noun,
// J adjective, K adjective after a comma, D adverb, V verb, X auxiliary.
var (
	sentences   = []weighted{{"NVT", 3}, {"NVPT", 3}, {"NVNT", 3}, {"NPVNT", 1}, {"NPVPT", 1}}
	nounPhrases = []weighted{{"N", 10}, {"JN", 20}, {"JKN", 10}, {"DJN", 50}}
	verbPhrases = []weighted{{"V", 30}, {"XV", 1}, {"VD", 40}, {"XVD", 1}}
)
