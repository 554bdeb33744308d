"""Whether an English word may be in a keyword: a noun, an adjective before one, or neither.

A small tagger of word lists, endings, and the word before and after. Unknown words are nouns: names and technical terms
are what keywords are made of.
"""

from __future__ import annotations

import re
from enum import Enum

from nlp_tasks.keywords import stop_words


class Part(Enum):
    """What a word may be in a keyword."""

    NOUN = "noun"
    #: Inside of a term, but not its last word.
    ADJECTIVE = "adjective"
    #: A verb, an adverb, a unit: in no term.
    NEITHER = "neither"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Verbs that are rarely nouns, in their base form; irregular past forms follow.
_VERBS = _words("""
    accept achieve acquire act add admit adopt affect agree allow announce appear apply appoint argue arise
    arrive assume attempt attend avoid ban bear beat become begin belong blame boost borrow bring build burn
    bury buy calculate carry catch cease celebrate choose cite claim collapse collect combine come commit
    compare compete complain complete comprise compute concede conclude conduct confirm consider consist
    contain continue contribute convert convince create criticise criticize cut damage deal decide declare
    decline defeat defend define deliver demonstrate deny depend derive describe deserve destroy determine
    develop die differ disappear discuss dismiss distinguish divide dominate draw drive drop earn eat elect
    eliminate emerge employ enable encourage end endorse enjoy ensure enter establish estimate evaluate
    examine exceed exclude exist expand explain explore express extend extract face fail fall favour feel fight fill
    finish fit flee fly focus follow forget form generate get give grow handle happen hear help hide hire
    hit hold hope identify ignore illustrate imagine implement imply improve include incorporate increase
    indicate induce influence inform insist intend introduce invest investigate invite involve issue join
    justify keep kill lack launch lay lead learn leave lend let lie link live lose maintain manage mean meet
    mention miss move nominate note obtain occur oppose organise organize outline overcome own participate
    pass perform permit persuade pick plan play pledge predict prefer prepare present preserve prevent
    proceed produce promise promote propose protect prove provide publish pull punish pursue push put raise
    reach react read realise realize receive recognise recognize recommend recover reduce refer reflect
    refuse regard reject relate rely remain remember remove replace represent require resemble resign
    resolve respond restore retain retire reveal rise rule run satisfy save score seek select sell send
    see separate serve set settle shake share show shut sign sing sit sleep solve speak spend split spread stand
    start state stay steal stop strengthen struggle stress submit succeed suffer suggest support suppose
    survive swing talk teach tend threaten throw treat try turn understand undertake unveil urge vary visit
    vote vow wait walk want warn watch wear welcome win wish wonder work worry write yield
""")
#: Of these, the base form and the form in -s are nouns as often: a report, the plans.
_ALSO_NOUNS = _words("""
    act attempt ban beat blame boost burn catch claim collapse cut damage deal decline defeat draw drive
    drop end estimate face fall favour fight fit focus form help hit hold hope increase influence issue
    joint lack launch lead link lie move note plan play present promise pull push raise regard rise rule run
    save score set share show sign split spread stand start state stay stop stress struggle support swing
    talk treat turn visit vote vow wait walk watch welcome win wish wonder work worry yield pass pick pledge
    work project report result study test use
""")
_PAST = _words("""
    arose ate beat became began bore borne bought broke broken brought built burnt came caught chose chosen
    came dealt did drawn drew driven drove eaten fallen fed fell felt fled flew flown forgot forgotten
    fought found gave given gone got grew grown heard held hid hidden hit kept knew known laid lain lay led
    left lent lost made meant met paid put read ridden risen rode rose said sang sat saw seen sent set shook
    shaken shown shut sold sought spent spoke spoken stole stolen stood struck sung swung taken taught
    thought threw thrown told took understood went woke won wore worn wrote written
""")
_ADJECTIVES = _words("""
    able active actual additional aggressive alleged alive ambitious angry annual anxious apparent available
    average aware bad bare basic beautiful bitter bold brave brief bright broad bust busy calm careful
    central certain cheap chief civil classic clean clear clever clinical close cold commercial common
    complete complex comprehensive confident considerable consistent constant contemporary controversial
    conventional convinced correct corrupt creative critical crucial cruel current dark dead dear deep
    delighted dense desperate detailed difficult digital direct disappointed domestic double dramatic due
    easy economic effective efficient eligible empty enormous entire equal essential eventual evident exact
    excellent exclusive expensive experienced explicit external extra extraordinary extreme fair familiar
    famous fast final financial fine firm fixed flat flexible foreign formal former forthcoming fresh
    friendly front frequent frustrated fundamental future general global golden good grand grateful great
    guilty half happy hard harsh healthy heavy helpful huge illegal immediate impressive inadequate
    incredible independent individual initial inner internal international joint junior keen key lack large
    late leading legal lexical likely linear local lone long low loyal lucky main major massive mere mild
    minor missing mobile modern modest multiple mutual narrow national native natural neat negative nervous
    nice normal numerous obvious odd official online only open opposite ordinary original outer outstanding
    overall painful past perfect permanent personal physical plain pleased plenty poor popular positive
    possible potential powerful precise previous private probable professional prominent promising proper
    proposed proud public pure quick quiet radical random rapid rare raw ready real reasonable recent
    regional regular relative relevant reliable remarkable remote residential responsible rich rival rough
    rural sad safe scarce secure senior sensible separate serious severe shared sharp sheer short
    significant silent similar simple single slight slow smart smooth social soft solid sophisticated
    special specific spectacular stable standard static steady steep stiff straight strange strict strong
    stunning subsequent substantial successful sudden sufficient suitable super superb supreme sure
    surprised surprising sweet swift syntactic technical tense terrible thick thin thorough tight tiny total
    tough traditional tragic tremendous typical ultimate unable uncertain unclear underlying unexpected
    unhappy unique universal unknown unlikely unusual upper upset urban useful usual valid valuable vast
    viable violent virtual visible vital vulnerable warm weak weird wide widespread wild wise wonderful
    wooden worldwide worried worse worst worth worthy wrong young
""")
#: Nouns that end like adjectives.
_NOUNS = _words("""
    academic animal appeal approval archive arrival arsenal attic automobile bible burial cable canal capital
    cardinal carnival cathedral characteristic clinic collective comic committal confidential council
    criminal critic crystal deal denial detective dial diesel dismissal disposal embed epidemic
    executive fabric festival funeral goal hospital hundred ideal incentive initiative interval
    jackal journal kindred language legislative lexical locomotive logic manual market material meal
    mechanic medal metal missile mineral mosaic motive music narrative native numeral objective
    offensive oral original panic perspective picnic plastic portal portable principal proposal
    pedal petal public referral rehearsal removal renewal representative republic retrieval rival ritual
    sandal scandal seal signal spiral statistic steel survival tactic terminal testimonial topic
    tribunal trial traffic trousers tutorial variable vegetable vehicle virus withdrawal bed bleed
    breed creed deed feed greed hatred need reed seed shed sled speed steed thoroughbred weed wed beginning
    being building ceiling clothing clustering computing earring engineering evening feeling filming finding
    funding gambling gaming hearing housing king learning lightning marketing meaning meeting mining morning
    offering opening parking parsing planning processing programming ranking rating reasoning ring saving
    sibling smoothing spring sterling string tagging thing training trading tuning understanding wedding
    wing writing banking shipping boxing cycling racing rowing sailing shopping skiing swimming wrestling
    modeling modelling labeling labelling parsing mapping matching indexing pruning stemming filtering
    recycling
    adversary anniversary beneficiary boundary burglary canary commentary corollary depositary diary
    dictionary dispensary documentary estuary glossary granary infirmary itinerary library luminary mercenary
    military missionary notary obituary rosary salary sanctuary secretary seminary statuary subsidiary summary
    tributary undersecretary visionary vocabulary
    civilian clinician comedian custodian dietitian electrician guardian historian librarian magician
    mathematician musician optician pedestrian physician politician statistician technician
    arrest conquest contest forest guest harvest inquest interest manifest midwest northwest protest quest
    rainforest request southwest tempest unrest
    additive adjective alternative captive derivative directive explosive imperative infinitive
    antibiotic arithmetic biopic diagnostic graphic heuristic logistic lyric magic metric rhetoric
    accrual admiral appraisal betrayal collateral credential decimal deferral differential editorial fractal
    integral mammal plural polynomial refusal rental repeal reversal revival royal
    cheese diocese parish radish rubbish constable timetable
""")
#: Units of measure, days, months, and nouns that fit any document.
_LITTLE = _words("""
    km kg cm mm ml mg hz khz mhz ghz kb mb gb tb kbps mbps kw mw gw kwh mph kph kmh lb lbs oz ft sq bn bln
    mln mil tn bpd pct dlr dlrs ct cts shr shrs qtr qtly avg revs vs yr yrs hr hrs min mins sec secs pm gmt
    usd eur gbp krw pp ph degree degrees metre metres meter meters kilometre kilometres kilometer kilometers
    mile miles inch inches feet foot tonne tonnes ton tons gram grams kilogram kilograms litre litres liter
    liters percent percentage hour hours minute minutes second seconds month months decade decades century
    centuries fortnight monday tuesday wednesday thursday friday saturday sunday january february march
    april may june july august september october november december jan feb mar apr jun jul aug sept oct nov
    dec morning afternoon evening night tonight yesterday tomorrow weekend thousand hundred dozen dozens
    lots plenty bit couple none addition aim amount area aspect basis bit case chance change chapter choice
    concern course detail details development difference effort end event example experience extent fact
    feature form half hand hope idea instance issue item kinds line lines list look matter moment need note
    page paper par piece place plan point points position problem problems process purpose question reason
    reasons respect rest result results role section sense series side situation sort sorts stage start
    statement step term terms top total trouble type types use value version view work spokesman spokeswoman
    guy guys folks three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety fourth fifth sixth seventh
    eighth ninth tenth man men woman women person people lot stuff inc corp co ltd plc llc reuter reuters ap afp
""")
_MODALS = _words("""
    will would can could may might must shall should not n't cannot he she it they we i you who did does do
    has have had also
""")
_BE = _words("is are was were be been being am 's 're 'm")
_DETERMINERS = _words("""
    the a an this that these those his her its their our my your some any each every no what whose him them
    us me it
""")
_ADJECTIVE_ENDINGS = re.compile(r"(?:ous|ful|less|ible|able|ive|ical|ic|al|ian|ary|ish|ese|ed|est)\Z")


def part(name: str, before: str, after: str, is_name: bool) -> Part:
    """What a word in lower case is, between the words before and after it on its line ("" for a sign or nothing).

    `is_name`: it has a capital letter inside of a sentence, so it is a name.
    """
    if name in stop_words.ENGLISH or name in _LITTLE:
        return Part.NEITHER
    if is_name or not name.isascii():
        return Part.NOUN
    if name in _PAST or _is_verb(name, before, after):
        return Part.NEITHER
    if name in _NOUNS:
        return Part.NOUN
    if name in _ADJECTIVES or _is_comparative(name) or (len(name) > 4 and _ADJECTIVE_ENDINGS.search(name)):
        return Part.ADJECTIVE
    return Part.NOUN


def _is_verb(name: str, before: str, after: str) -> bool:
    if name.endswith(("ing", "ed")) and len(name) > 4 and (before in _BE or after in _DETERMINERS):
        return True
    base = _base(name)
    if base is not None and (name.endswith("ed") or base not in _ALSO_NOUNS):
        return name not in _NOUNS
    return before in _MODALS or (before == "to" and base is not None)


def _is_comparative(name: str) -> bool:
    """Whether it is the comparative of an adjective of the list: cheaper, later, easier."""
    return (
        len(name) > 4
        and name.endswith("er")
        and any(stem in _ADJECTIVES for stem in (name[:-2], name[:-1], name[:-3] + "y"))
    )


def _base(name: str) -> str | None:
    """The verb of the list that this is a form of."""
    for ending in ("", "s", "es", "d", "ed", "ing"):
        if not name.endswith(ending):
            continue
        stem = name[: len(name) - len(ending)]
        for verb in (stem, stem + "e", stem[:-1] if stem[-1:] == stem[-2:-1] else stem, stem[:-1] + "y"):
            if verb in _VERBS and (ending or verb == name):
                return verb
    return None
