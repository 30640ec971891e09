// A page before one is in, or for somebody outside: nothing follows the house here, only films and their story.
import { followFilms } from "./film.js";
import "./password.js";

followFilms();
