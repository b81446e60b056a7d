#include "scenes/world.h"

namespace paligemma::world {
namespace {

constexpr std::array kThings = {
    Thing{"cow", "cows", "소", "마리", Stand::ground, true},
    Thing{"horse", "horses", "말", "마리", Stand::ground, true},
    Thing{"sheep", "sheep", "양", "마리", Stand::ground, true},
    Thing{"pig", "pigs", "돼지", "마리", Stand::ground, true},
    Thing{"dog", "dogs", "개", "마리", Stand::ground, true},
    Thing{"cat", "cats", "고양이", "마리", Stand::ground, true},
    Thing{"rabbit", "rabbits", "토끼", "마리", Stand::ground, true},
    Thing{"elephant", "elephants", "코끼리", "마리", Stand::ground, true},
    Thing{"camel", "camels", "낙타", "마리", Stand::ground, true},
    Thing{"tiger", "tigers", "호랑이", "마리", Stand::ground, true},
    Thing{"monkey", "monkeys", "원숭이", "마리", Stand::ground, true},
    Thing{"giraffe", "giraffes", "기린", "마리", Stand::ground, true},
    Thing{"panda", "pandas", "판다", "마리", Stand::ground, true},
    Thing{"lion", "lions", "사자", "마리", Stand::ground, true},
    Thing{"frog", "frogs", "개구리", "마리", Stand::ground, true},
    Thing{"penguin", "penguins", "펭귄", "마리", Stand::ground, true},
    Thing{"chicken", "chickens", "닭", "마리", Stand::ground, true},
    Thing{"duck", "ducks", "오리", "마리", Stand::ground, true},
    Thing{"turtle", "turtles", "거북", "마리", Stand::ground, true},
    Thing{"crab", "crabs", "게", "마리", Stand::ground, true},
    Thing{"butterfly", "butterflies", "나비", "마리", Stand::any, true},
    Thing{"car", "cars", "자동차", "대", Stand::ground, false, 356},
    Thing{"bus", "buses", "버스", "대", Stand::ground},
    Thing{"truck", "trucks", "트럭", "대", Stand::ground},
    Thing{"bicycle", "bicycles", "자전거", "대", Stand::ground},
    Thing{"boat", "boats", "배", "척", Stand::ground},
    Thing{"plane", "planes", "비행기", "대", Stand::air},
    Thing{"apple", "apples", "사과", "개", Stand::ground},
    Thing{"banana", "bananas", "바나나", "개", Stand::ground},
    Thing{"strawberry", "strawberries", "딸기", "개", Stand::ground},
    Thing{"ball", "balls", "공", "개", Stand::ground},
    Thing{"balloon", "balloons", "풍선", "개", Stand::air, false, 3},
    Thing{"umbrella", "umbrellas", "우산", "개", Stand::ground, false, 248},
    Thing{"flower", "flowers", "꽃", "송이", Stand::ground},
    Thing{"chair", "chairs", "의자", "개", Stand::ground},
    Thing{"table", "tables", "탁자", "개", Stand::ground},
    Thing{"sign", "signs", "표지판", "개", Stand::any},
};

constexpr std::array<Place, 8> kPlaces = {{{"beach", "on the", "해변", "a beach"},
                                           {"field", "in the", "들판", "a field"},
                                           {"road", "on the", "도로", "a road"},
                                           {"room", "in the", "방", "a room"},
                                           {"snow", "in the", "눈밭", "snow"},
                                           {"city", "in the", "도시", "a city"},
                                           {"forest", "in the", "숲", "a forest"},
                                           {"desert", "in the", "사막", "a desert"}}};

constexpr std::array<Colour, 6> kColours = {{{"red", "빨간색", "빨간", 0, {198, 32, 40}},
                                             {"yellow", "노란색", "노란", 48, {247, 202, 24}, true},
                                             {"green", "초록색", "초록색", 125, {16, 122, 62}},
                                             {"blue", "파란색", "파란", 212, {28, 74, 190}},
                                             {"purple", "보라색", "보라색", 280},
                                             {"white", "흰색", "흰", -1, {246, 246, 244}, true}}};

constexpr auto kLatinWords = std::to_array<std::string_view>(
    {"BAKERY", "BANK",   "BEACH", "BOOK",  "BUS",  "CAFE", "CAMP", "CITY",  "CLUB",   "EXIT",
     "FARM",   "FIRE",   "FOOD",  "GAS",   "GYM",  "HELP", "HOME", "HOTEL", "ICE",    "KIDS",
     "MAP",    "MENU",   "MILK",  "MUSIC", "NEWS", "OPEN", "PARK", "PIZZA", "POLICE", "POST",
     "SALE",   "SCHOOL", "SHOP",  "SLOW",  "STOP", "TAXI", "TEA",  "TOYS",  "WAY",    "ZOO"});

constexpr auto kHangulWords =
    std::to_array<std::string_view>({"공원", "극장", "꽃집", "버스", "병원", "빵집", "서점", "시장", "식당", "약국",
                                     "우유", "은행", "입구", "정지", "주차", "차",   "출구", "커피", "학교", "호텔"});

}  // namespace

std::span<const Thing> things() { return kThings; }
std::span<const Place> places() { return kPlaces; }
std::span<const Colour> colours() { return kColours; }
std::size_t sign_place() { return kThings.size() - 1; }
std::span<const std::string_view> latin_words() { return kLatinWords; }
std::span<const std::string_view> hangul_words() { return kHangulWords; }

}  // namespace paligemma::world
